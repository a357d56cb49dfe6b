"""Was this data set, was this model, made from our answers? The null is the provider's own secret randomness."""
