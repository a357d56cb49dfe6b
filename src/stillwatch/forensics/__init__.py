"""Forensics: was this data set, was this model, made from our answers?

A likeness convicts nobody. What is called a test here has a null made by the provider's own secret randomness, so its
false-accusation rate is known whoever the suspect is; everything else is a lead and says so.
"""
