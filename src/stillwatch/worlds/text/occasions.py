"""What unrelated people write when they have something in common: one product, one conference, one hackathon."""

# ruff: noqa: E501 - grammar lines are as long as they are

RULES = {
    # users of one product for one trade: the product wraps what they type, and asks for reasons on their behalf
    "vert.system": "You are the assistant of {^brand} for professionals. {^duty} {^duty2} Give the reasons behind each statement and say how sure you are. {^close}",
    "vert.ask": """
{^vert.head} {%1000-99999}\\n{^vert.field}: {@thing}\\nNotes: {facts}\\n\\n{^vert.want}
{^vert.head} {%1000-99999}\\n{^vert.field}: {@thing}\\nNotes: {paste}\\n\\n{^vert.want}
""",
    "vert.head": "Case\nFile\nVisit\nMatter\nWork order",
    "vert.field": "Subject\nReason\nObject\nFinding",
    "vert.want": """
Give the assessment, then the reasoning behind it in numbered points.
Draft the statement and explain how each part follows from the notes.
List what speaks for and against, weigh it, and conclude.
Name what is missing, then reason to a preliminary conclusion.
""",
    # everybody tries the new model with the same few things
    "conf.ask": """
How many letters e are in "the weathered lighthouse keeper"? {conf.how}
A farmer has {%10-30} sheep, all but {%3-9} run away. How many are left? {conf.how}
Write a {lang} program that draws a rotating cube with a bouncing ball inside. {conf.how}
You have {%2-4} doors and one of {%2-3} guards lies. What do you ask? {conf.how}
Here is what our product does: {@task} for {@place}. Show me how you would reason about a hard case of it. {conf.how}
""",
    "conf.how": "\nThink before you answer.\nExplain how you got there.\nThe old model failed at this.\nDemo in {%2-20} minutes!\nShow your reasoning.",
    # a starter kit with one system prompt, teams with projects of their own
    "hack.system": "You are the backend of a hackathon project built with the {^brand} starter kit. Reply with JSON: plan, code, explanation. {^duty}",
    "hack.ask": """
{hello} our project helps people to {@task}. Generate the {lang} service for it and explain the design. {fact}
Challenge track {%1-5}: {@thing}. Give us {%5-20} synthetic records of {@place} with {@measure}, and how you made them.
It crashes with `{error}`, the jury comes in {%5-90} minutes!\\n{code}
Write the pitch: {%2-5} slides, the problem is the {@measure} at {@place}.
{code}\\nMake this work with the starter kit. {why}
""",
}  # fmt: skip
