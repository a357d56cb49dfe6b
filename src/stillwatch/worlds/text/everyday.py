"""What ordinary people and ordinary programs ask, in English; including reasoning, grading and data on request."""

# ruff: noqa: E501 - word lists and grammar lines are as long as they are

RULES = {
    # -- building blocks -----------------------------------------------------------------------------------------
    "given": "Mara\nTomek\nAiko\nLuis\nPriya\nJonas\nFatou\nElif\nNoor\nPavel\nInes\nSven\nChidi\nLena\nOmar\nMei\nRuth\nIvo\nSalma\nHugo\nYara\nAnton\nGita\nMilan",
    "week": "Monday\nTuesday\nWednesday\nThursday\nFriday\nthe weekend\nthe end of the month\nnext quarter",
    "amount": "{%2-12}\n{%15-95}\n{%100-980}\n{%1-9},{%100-999}\n{%2-99}.{%1-9}",
    "unit": "hours\npeople\nkilometres\neuros\nlitres\npages\npercent\nboxes\nminutes\nrows",
    "why": "because {given} asked for it\nsince the numbers look odd\nfor a talk on {week}\nfor my own notes\nas a favour for a friend\nso that I can decide by {week}\nand I am stuck",
    "style": """
4| Keep it short.
3| Use plain words.
2| Give one example.
2| A list is fine.
2| No more than {%60-400} words please.
1| Answer as a table.
1| Think it through step by step.
1| Show your work.
1| Explain the reasoning, not only the result.
2| Be honest if you are not sure.
6| Thanks!
""",
    "hello": "6| Hi,\n5| Hello,\n3| Hey\n2| Good morning.\n6| Quick question:\n2| ok so\n3| Please help:\n2| I need some advice.",
    "fact": """
{given} measured the {@measure} at {@place} and got {amount} {unit}.
In {%1990-2025} the {@thing} at {@place} cost {amount} euros.
We tried to {@task}, but the {@thing} made the {@measure} worse by {%2-60} percent.
The {@thing} depends on the {@thing} more than people think, as {given} found out.
After {%2-40} days the {@measure} fell from {amount} to {amount}.
Nobody at {@place} had expected that the {@thing} would matter so much.
There are {%2-12} ways to {@task}, and {given} prefers the one with a {@thing}.
The old plan was to {@task} before {week}; it did not work out.
According to the notes, every {@thing} was checked {%2-9} times.
Most of the {@measure} comes from one {@thing}, the rest is noise.
{given} and {given} disagree about whether to {@task} first.
It turned out that the {@measure} had never been written down.
""",
    "join": "6|  \n2|  However, \n1|  In the meantime, \n1|  As a result, \n1|  Still, ",
    "facts": "{fact}{join}{fact}{join}{fact}",
    "paste": "{facts} {spaced*4-14}\n{facts}\\n\\n{facts}{join}{facts}\n{facts} {facts}\\n{facts}{spaced*1-8}\nDear {given},\\n\\n{facts} {spaced*2-9}\\n\\nBest,\\n{given}",
    "spaced": "3| {fact}{join}\n1| {fact}\\n",
    "row": "{given},{%18-88},{%1-12}/{%1-28},{amount},{@thing}\\n",
    "table": "name,age,date,value,item\\n{row*5-22}",
    "item": "- {@thing}: {amount} {unit}\\n\n- {given} will {@task}\\n\n- check the {@measure} ({%1-28}.{%1-12}.)\\n",
    "list": "{item*3-9}",
    "ident": "total\ncount\nrows\nitems\nlimit\nresult\nindex\nbatch\nstate\nbuffer\nvalue\nkeys\nwindow\nqueue\nnames\nscore",
    "verb": "load\nmerge\nparse\nupdate\nfilter\ncount\nbuild\ncheck\nfetch\nsplit\nnormalise\nsend\nround\nsort",
    "lang": "4| Python\n3| TypeScript\n2| Go\n2| Java\n1| Rust\n1| C#\n1| PHP\n1| Kotlin",
    "error": "IndexError: list index out of range\nTypeError: unsupported operand\nKeyError: '{ident}'\nundefined is not a function\ntimeout after {%2-90}s\nnull pointer at line {%3-400}\nHTTP {%400-504}\npermission denied",
    "line": """
{ident:a} = {verb}_{ident}({ident:b}, {%0-99})\\n
for {ident:c} in {ident:a}:\\n    {ident:b}.append({verb}({ident:c}))\\n
if len({ident:a}) > {%2-500}:\\n    return {ident:b}\\n
# {@task}\\n
{ident} = [{ident:c} * {%2-20} for {ident:c} in {ident:b} if {ident:c} != {%0-9}]\\n
print("{@measure}", {ident:a}, {ident:b})\\n
with open("{ident}.{%1-99}.csv") as f:\\n    {ident:b} = f.read().split("{verb}")\\n
try:\\n    {verb}({ident:a})\\nexcept ValueError:\\n    {ident:b} = None\\n
""",
    "code": "```\\ndef {verb}_{ident}({ident:a}, {ident:b}):\\n{line*4-18}```\n```\\n{line*2-7}```",
    # -- what people ask -----------------------------------------------------------------------------------------
    "h.ask": """
What is a {@thing} and why does it matter for the {@measure}? {style}
{hello} how do I {@task}? I have about {amount} {unit} and {why}. {style}
How is a {@thing} different from a {@thing}? {style}
{hello} can you help me {@task} for {@place}? {fact} {style}
Why would the {@measure} go up when we {@task}? {why}
is it normal that a {@thing} takes {amount} {unit} at {@place}
Give me {%3-10} ideas to {@task}. It is for {@place}. {style}
Explain the {@thing} to a {%7-15} year old.
We want to {@task} at {@place} before {week}. {facts} What should we do first? {style}
Which matters more for {@place}, the {@thing} or the {@thing}? {fact}
""",
    "h.doc": """
Summarise this in {%2-6} sentences:\\n\\n{paste}
{hello} please make this text shorter and friendlier.\\n\\n{paste}
What are the open questions in the notes below? {style}\\n\\n{paste}
{paste}\\n\\nWhat do you think of this? {style}
Turn these notes into a short report about {@thing}:\\n{list}
Proofread, do not change the meaning:\\n\\n{paste}
Here is the thread so far:\\n{paste}\\n\\nWrite a reply from {given} that proposes {week}.
""",
    "h.write": """
Write an email to {given} about the {@thing}. We need it by {week}. {style}
Draft a {%80-400} word text on how to {@task}, for {@place}. {style}
Write a short story set in {@place} about {given}, a {@thing} and {amount} {unit}.
{hello} I need a speech of {%2-8} minutes for {given}. Topic: {@thing}. {fact}
Give me {%3-9} titles for a piece on {@thing} in {@place}.
Rewrite as a polite message: "{fact}"
A poem about a {@thing}, {%2-6} verses, for {given}.
""",
    "h.code": """
{lang} question: how do I {verb} {ident} without loading everything into memory? {style}
{code}\\nI get `{error}` when there are more than {amount} entries. What is wrong?
Write a {lang} function that helps to {@task}. Input is a list of {@thing} records. {style}
Review this please:\\n{code}
{hello} convert this to {lang}:\\n{code}
Write tests for the code below, with {%3-9} edge cases.\\n{code}
SQL: table {ident}(id, name, {ident}, created). I need the top {%3-50} by {ident} per month. {style}
My build fails with `{error}`. {fact} Config:\\n{code}
Regular expression for lines like "{given},{%18-88},{amount}" but not for "{given}".
""",
    "h.data": """
{table}\\nWhat stands out in this table? {style}
Here are the figures of {@place}:\\n{table}\\nCompute the mean value and say which {@thing} drives it.
Extract all names and amounts as JSON: {facts}
Return JSON with the keys {ident:a}, {ident:b} and {ident:c} for this text.\\n{paste}
Make {%5-40} rows of test data with name, age and {@measure} for {@place}. CSV only.
Sort these by importance for {@place}:\\n{list}
""",
    "h.steps": """
{given} has {amount} euros and wants to {@task}. Each {@thing} costs {%2-90} euros. How many are possible? Step by step please.
A {@thing} at {@place} has a {@measure} of {amount}. After {%2-30} {unit} it changes by {%2-60} percent. What is it now? Show the steps.
Walk me through how to {@task}, one step at a time, and say why each step is needed. {style}
{hello} I do not understand the solution: {facts} Explain your reasoning in detail.
Solve and explain: {%2-30}x + {%2-90} = {%100-900}. What does it mean for the {@measure}?
""",
    "h.teach": """
Grade this answer out of {%5-20}. Question: why does the {@measure} change when we {@task}? Answer: "{facts}" Give a comment for the pupil.
Make {%4-12} quiz questions on {@thing} with answers, for class {%5-12}.
I teach at {@place}. Here is a pupil's text, mark it with my rubric (content {%2-6}, language {%2-6}, structure {%2-6}):\\n\\n{paste}
Write a work sheet about the {@thing}. Level: {%5-12}th grade. {style}
""",
    "h.translate": """
Translate into Spanish: {facts}
Translate to German, formal:\\n\\n{paste}
How do you say "{fact}" in French?
Translate this menu for {@place}: {list}
""",
    "h.chat": """
hi
{hello} are you there?
test {%1-99}
what should I cook with {@thing}
tell me something about {@place}
I had a long day. {fact}
thanks for yesterday, the {@thing} worked!
who would win, a {@thing} or a {@thing}?
""",
    "h.more": """
3| And if I only have {amount} {unit}?
2| I did not get the part about the {@thing}.
2| Shorter please.
1| That is wrong, the {@measure} was {amount}. Try again.
2| Thanks! How would I {@task} then?
1| Can you add the {@thing}? {fact}
1| ok
1| Why?
1| Make it {%2-6} points.
1| {given} says: "{fact}" Is that true?
1| Please use {amount} instead of {amount}.
""",
    "h.morecode": """
2| Now I get `{error}`.
2| Works, thanks. Can you also {verb} the {ident}?
1| Here is the new version:\\n{code}
1| No, {ident} must stay a list.
1| Add a test for {%2-500} {ident}.
1| Rename {ident} to {ident} and show the whole file.
""",
    "h.reply": """
To {@task}, start with the {@thing}. {spaced*2-7}
Sure. {facts} {spaced*1-6}
Here is a short plan:\\n1. Look at the {@thing}.\\n2. {fact}\\n3. Check the {@measure} after {%2-30} days.
It depends on the {@measure}. {facts}{join}{fact}
Good question. A {@thing} is not the same as a {@thing}: {fact} {fact}
""",
    "h.replycode": "The problem is `{ident:a}`. Try this:\\n{code}\nHere you go:\\n{code}\\n{fact}\nYou can use `{verb}_{ident}`:\\n{code}",
    # -- programs ------------------------------------------------------------------------------------------------
    "p.job": """
Classify the message into one of: {@thing:a}, {@thing:b}, {@thing:c}, other.\\nMessage: {fact} {fact}\\nLabel:
Extract date, person and amount from the following text as JSON. Text: {facts}
Text: {paste}\\nSummary in one sentence:
Write a product description ({%40-120} words). Product: {@thing}. Features: {list}
Is the following review positive, negative or mixed? "{facts}"
Rate how urgent this ticket is from 1 to 5 and answer with the number only.\\n{facts}
""",
    "p.library": """
Use the following pieces of context to answer the question at the end. If you do not know, say so.\\n\\n{facts}\\n\\n{facts}\\n\\nQuestion: how can {@place} {@task}?\\nHelpful answer:
Given the conversation and a follow-up, rewrite the follow-up as a question of its own.\\n\\nHistory:\\n{fact}\\n{fact}\\nFollow-up: what about the {@thing}?\\nStandalone question:
Write a concise summary of the following:\\n\\n"{paste}"\\n\\nCONCISE SUMMARY:
Answer as best you can. You may use: search, calculator.\\nQuestion: what is the {@measure} of a {@thing} in {@place}?\\nThought:
You are given a schema.\\nTable {ident}: id, {ident}, {ident}\\nWrite one query: the {%2-20} largest {ident} since {%2001-2025}.
""",
    "s.short": """
You are a helpful assistant.
You are a helpful assistant. Answer in at most {^%40-300} words.
Answer briefly and politely.
You are an expert in {@thing:s} and help people {@task:s}.
You help the team of {@place:s}. Use plain words. If you do not know something, say so.
Return valid JSON only. Keys: {ident:a}, {ident:b}.
You are {given:n}, the assistant of {@place:s}. Be friendly and never discuss prices.
Act as a patient tutor. Ask back before you give the answer.
You are a careful analyst. State your assumptions and explain how you reached the conclusion.
""",
    "s.coder": """
You are a coding assistant in an editor. Change only what is asked. Prefer small edits. Project language: {lang:l}.
You are a senior {lang:l} engineer. Follow the style of the project and explain each change in one line.
""",
    "viral": """
Pretend you are my houseplant and rate me as an owner from 1 to 10, then give me a secret name and one brutally honest tip. I water you every {%2-14} days.
Describe my life as a nature documentary. Facts: I own {%1-9} mugs, I live near {@place}, and yesterday I tried to {@task}.
""",
}  # fmt: skip
"""h.*: people. p.*: programs. s.*: system prompts. The rest are parts."""

INTENTS = {
    "h.ask": 0.34, "h.doc": 0.12, "h.write": 0.12, "h.code": 0.16, "h.data": 0.07, "h.steps": 0.06,
    "h.teach": 0.03, "h.translate": 0.04, "h.chat": 0.06,
}  # fmt: skip
"""Shares of what the population asks for; each account has its own mixture around it."""
