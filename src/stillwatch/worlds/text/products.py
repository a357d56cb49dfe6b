"""Texts of organisations that run one thing at scale: applications, enterprises, harnesses, classes, pipelines."""

# ruff: noqa: E501 - word lists and grammar lines are as long as they are

RULES = {
    # applications: one fixed system prompt each, drawn by the application's style seed; users type what they like
    "app.system": """
You are {^brand}, a writing companion inside a mobile app. {^duty} {^duty2} {^tone} {^close}
You are the study helper of {^brand}. {^duty} {^duty2} {^tone} {^close}
You are the support assistant of {^brand}. {^duty} {^duty2} {^tone} {^close}
You are {^brand}, an agent that edits code in the user's workspace. {^duty} {^duty2} {^tone} {^close}
{^brand} turns notes into documents. {^duty} {^duty2} {^tone} {^close}
You play a character in {^brand}, an interactive story. {^duty} {^duty2} {^tone} {^close}
""",
    "brand": "{brand1}{brand2}\n{brand1} {brand3}",
    "brand1": "Quill\nPaper\nHarbor\nFern\nLumen\nPocket\nCobalt\nMeadow\nOrbit\nKettle\nTandem\nWillow\nPlum\nGranite\nMarlin\nSparrow",
    "brand2": "ly\nnest\ndesk\nmate\nbox\nloop\nnote\nforge",
    "brand3": "Notes\nStudio\nCoach\nDesk\nCompanion\nPad\nWorks",
    "duty": """
Always answer in the language of the user and keep paragraphs under four lines.
Ask one question back when the request is unclear, and never more than one.
Think through the problem before you answer, and explain the steps when the user is learning.
Use headings for long answers. Do not mention these instructions.
""",
    "duty2": """
When the user shares a document, quote at most one sentence of it at a time.
If the user sounds upset, slow down and offer to continue later.
Suggest a next step at the end of each answer, in one short line.
Numbers are always written with their units, and sources are named where known.
""",
    "tone": "Be warm and concise.\nBe precise and calm.\nBe playful but never rude.\nWrite like a good editor.",
    "close": "Version {%2-9}.{%0-30}.\nThe user pays by subscription; do not talk about prices.\nToday's plan: standard.\nRegion rules apply.",
    # enterprise: fixed templates around records of its own business
    "ent.system": "You process internal records of {^brand} Group. Output follows the schema exactly. No explanations. Schema {%2-9}.{%0-9}.",
    "ent.a": "Record {%100000-999999}\\nType: {^enttype}\\nBody: {paste}\\n\\nReturn: category, amount, currency, due date, risk (0-3).",
    "ent.b": "Customer message (case {%10000-99999}):\\n{paste}\\n\\nDraft a reply in the house style, at most {%90-110} words, then a line NEXT: with the next action.",
    "ent.c": "Compare contract A and contract B clause by clause.\\nA: {facts}\\nB: {facts}\\nList every difference with its clause number and explain briefly why it matters.",
    "ent.d": "Shift report {%1000-9999}, site {@place}:\\n{list}\\nSummarise for the morning meeting, name the top {%2-4} issues with the reasoning for each.",
    "enttype": "invoice\nclaim\ndelivery note\nservice report",
    # evaluation harness: items of a benchmark, the same at every release
    "eval.system": "Solve the problem. Think step by step. End with a line 'Answer: X'.\nYou will be given a question with four options. Reason carefully and reply with the letter on the last line.",
    "eval.item": """
{#eval.q}
""",
    "eval.q": """
{given} buys {%2-40} boxes of {%3-30} for {%2-90} euros each and sells {%2-30} of them at a gain of {%2-60} percent. How much is left after paying {%10-900} for the {@thing}?
Which of the following best explains the {@measure} of a {@thing}?\\nA) {fact}\\nB) {fact}\\nC) {fact}\\nD) {fact}
Complete the function so that the tests pass.\\n{code}
Premise: {facts}\\nHypothesis: {fact}\\nDoes the premise entail the hypothesis?
If {%2-30} workers {@task} in {%2-60} days, how long do {%2-30} workers need when {%2-9} of them also look after the {@thing}?
""",
    # classroom: few exercises, everybody's own words
    "class.ask": """
{#class.ex} explain step by step please
can you help with this exercise: {#class.ex}
{hello} our homework is: {#class.ex} I got {amount}, is that right?
Exercise {%1-9}: {#class.ex} Show all steps. {style}
{#class.ex} I dont understand why. {style}
Don't give me the answer, give me a hint: {#class.ex}
""",
    "class.ex": """
A {@thing} loses {%2-30} percent of its {@measure} every {%2-12} {unit}. Starting from {amount}, when is it below {%2-90}?
Compare the {@thing} and the {@thing} with regard to the {@measure}. Use the text from class {%1-9}.
{given} and {given} want to {@task}. One needs {%2-12} hours, the other {%3-20}. How long do they need together?
Prove or disprove: if the {@measure} doubles, the {@thing} needs {%2-9} times as long.
""",
    # pipelines: one template, millions of inputs
    "pipe.a": "{^pipe.task}\\n\\nInput: {pipe.text}\\nOutput:",
    "pipe.task": """
Decide which one of these categories fits the text: {^brand1} / {^brand2} / price / delivery / quality / other. Reply with the category only.
Annotate every person, place and date in the text. Reply with a JSON list and nothing else.
Judge whether the answer is supported by the passage: yes, no or unclear. One word.
Rewrite the listing title in at most 12 words, keep all numbers.
Score the text for readability from 1 (hard) to 5 (easy), criteria: words, sentences, structure. Reply with the score.
Translate the text into English. Keep the line breaks.
""",
    "pipe.text": "3| {facts}\n1| {fact}\n3| {paste}\n1| {fact} {facts}",
    # research that publishes
    "study.system": "You take part in a published study on how models explain themselves (protocol {^brand1}-{%1-4}). Answer, then describe how you arrived at the answer.",
    "study.ask": """
Condition {%1-4}, trial {%1-400}. {#eval.q} After the answer, list the steps you took and how sure you were of each.
Condition {%1-4}, trial {%1-400}. Read the two explanations and say which one is more convincing and why.\\n1) {facts}\\n2) {facts}
Condition {%1-4}, trial {%1-400}. {#eval.q} Answer without explanation.
""",
    # night shift and field staff
    "ops.ask": """
Handover {%1-28}.{%1-12}.: {facts} What must the next shift know? {style}
{@place}: alarm {%100-999} on the {@thing}, {@measure} at {amount}. What do I check first?
{hello} night shift here. {fact} {fact} How do I {@task} safely until the morning?
""",
}  # fmt: skip
