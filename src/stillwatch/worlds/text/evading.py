"""How harvesters word things when they try not to be recognised: several languages, free order, grading only.

Words come from the same lists as everybody's. `CLASSES` names what is said in the language of the conversation: rule
LANGUAGE.NAME for every name.
"""

# ruff: noqa: E501 - word lists and grammar lines are as long as they are, and in seven languages

CLASSES = ("htask", "wish", "nlead", "nextra", "hgrade", "hsystem")
"""A harvester's task; the wish for reasoning; an opener; a remark; a piece of grading; a system prompt."""

RULES = {
    # -- paraphrased: the ring's own frame stays, its wishes are worded anew and in several languages ------------------
    "v.l1": "3| {#@htask} {@wish}\n1| {@wish} {#@htask}",
    "v.l2": "{#@htask}\\n{@wish}\n{#@htask} {@wish} {@nextra}",
    "v.l3": "[{#l3.kind}] {#@htask}\\n\\n{#l3.env}; {#l3.rule}; {#l3.rule:z}.\\n{@wish}",
    "v.clean": "{#@htask}\\n\\n{facts} {facts}\\n\\n{@wish}\n{@wish}\\n\\n{facts} hmm {facts}\\n\\n{#@htask}",
    "v.system": "{@hsystem}",
    # -- no skeleton: every request in an order and with an opening of its own ----------------------------------------
    "n.ask": """
3| {#@htask} {@wish}
2| {@wish}\\n\\n{#@htask}
2| {@nlead} {#@htask} {@wish}
2| {@nlead} {#@htask}\\n{@wish} {@nextra}
2| {@nextra} {#@htask} {@wish}
2| {#@htask}\\n\\n{@nextra} {@wish}
1| {@wish} {@nlead} {#@htask}
1| {@nlead} {@nextra}\\n{#@htask}\\n{@wish}
""",
    # -- grading, scoring, filtering -----------------------------------------------------------------------------------
    "g.system": "You are a strict grader. Output one JSON object with the keys score and why.\nYou score answers for a data set. Follow the rubric. Output the points first.",
    "g.ask": """
3| Rubric: accuracy 0-5, completeness 0-5, style 0-2.\\nQuestion: {task}\\nAnswer: {g.answer}\\nReturn points for each criterion, the sum, and the reason.
2| Compare A and B. Question: {task}\\nA: {g.answer}\\nB: {g.answer}\\nReply with A or B and a sentence.
1| Keep or drop this sample for the data set? Question: {task}\\nAnswer: {g.answer}\\nReply keep or drop, with the reason.
""",
    "g.answer": "{facts}\n{facts} {facts}\n{fact} {fact}",
    "g.spoken": "{@hgrade}",
    "g.free": """
2| {@hgrade}
2| {@nlead} {@hgrade}
2| {@hgrade} {@nextra}
1| {@nextra} {@hgrade}
1| {@nextra}\\n{@nlead}\\n{@hgrade}
""",
    # -- English -------------------------------------------------------------------------------------------------------
    "en.htask": "{task}",
    "en.wish": "3| {w.do} {w.what}{w.end}\n2| {w.frame} {w.do} {w.what}{w.end}\n1| {w.frame}\n1| {w.frame} {w.frame}",
    "w.do": "Talk me through\nTake me along\nLet me watch\nLay out\nPut on paper\nI would like to follow\nDo not skip\nSpell out\nGo slowly over\nNarrate\nI need to see\nUnfold\nSketch and then fill in\nRecord\nKeep nothing back of\nInclude",
    "w.what": """
how you get there
each turn that your thinking takes
what you consider and what you reject
the road from the facts to the verdict
the considerations that weigh most for the {@thing}
every move between the figures and the conclusion
the ideas that you try, even the bad ones
why one piece follows from the one before
the doubts about the {@measure} and how you settle them
the alternatives to {@task} and why they lose
all the arithmetic about {amount} {unit}
what makes you change your mind
""",
    "w.end": ".\n; the verdict goes last.\n, and only then the outcome.\n, as if to a colleague at a whiteboard.\n, in full sentences.\n; rather too much than too little.\n before you settle on anything.\n, with the {@measure} in mind.\n. {given} will read it.\n, however long it gets.",
    "w.frame": """
I learn more from the way than from the goal.
A bare result is of no use at {@place}.
Treat it as a lesson for {given}, who does the next one alone.
Pretend that you are solving it aloud.
Whoever reads this knows the {@thing} but not the method.
Somebody at {@place} has to defend the answer afterwards.
We will go through the working on {week}.
Picture {given} stopping you at every sentence to ask why.
The last line alone would not convince {given}.
It should be possible to redo it by hand in {%2-9} hours.
""",
    "en.nlead": """
At {@place} we came across this.
{given} sent me the following:
Something about the {@thing}:
One for {week}.
Number {%2-900} on my list.
Here is what keeps {@place} busy.
From a folder on {@thing}:
{hello}
{given} and I could not agree on this.
Case from {@place}, {%1990-2025}:
Next up, {@measure}.
Imagine that you work at {@place}.
""",
    "en.nextra": "{fact}\nTime is short, {%2-50} minutes.\nThe {@thing} is given.\nAssume that nobody can {@task} in time.\nUse {unit} throughout.\nIgnore the {@thing}.\nMind the {@measure}.\nAudience: {given} and {given}.\nNo tables please.\nRound to {%2-5} digits.\nThe {@measure} at {@place} is {amount}.",
    "en.hgrade": """
{given} wrote this about "{task}": {g.answer} How good is that, from {%0-1} to {%5-20}, and what costs points?
Two people answered. First: {g.answer} Second: {g.answer} The question was: {task} Whose answer would you rather keep, and why?
Would you let this pass? Asked was: {task} Handed in: {g.answer} Mind the {@measure}.
Mark the following like a patient examiner, {%2-5} aspects, {%5-10} points each. {task} -- {g.answer}
{g.answer}\\n\\nThat was the reply to: {task}\\nList its faults by weight and give it a mark.
Sort these from best to worst with a reason each. Topic: {@thing}. (1) {g.answer} (2) {g.answer} (3) {fact}
Does the second text answer the first one fully? {task}\\n---\\n{g.answer}
""",
    "en.hsystem": "{w.frame} {w.do} {w.what}{w.end}\nYou help {@place}. {w.do} {w.what}{w.end}\n{w.do} {w.what}{w.end} {w.frame}",
    # -- Spanish -------------------------------------------------------------------------------------------------------
    "es.htask": """
En {%2-9} ciudades quieren {@task}, pero {@thing} limita el resultado a {%10-900}. ¿Qué conviene hacer y qué cambiaría la respuesta? {es.sentence*1-2}
{es.sentence*2-3}¿Qué explicación es la más probable y cómo se comprueba con {%2-9} mediciones?
Estima {@thing} sin más datos que {%10-900} unidades. {es.sentence}
Programa en {lang}: {@task} con {%2-9} millones de filas y {%64-900} MB. {es.sentence}
¿Es posible {@task} con menos de {%5-90}? Demuéstralo o da un contraejemplo. {es.sentence}
Compara tres maneras de {@task} según coste y riesgo, y recomienda una. {es.sentence}
""",
    "es.wish": "{es.w1} {es.w2}{es.w3}\n{es.w4} {es.w1} {es.w2}{es.w3}\n{es.w4}",
    "es.w1": "Cuéntame\nDeja por escrito\nQuiero ver\nNo te saltes\nVe mostrando\nEnséñame\nAnota",
    "es.w2": "cómo llegas hasta ahí\ncada idea que descartas\nel camino entero, con sus desvíos\nqué pesa más y por qué\nlas dudas sobre {@thing}\nlas cuentas, aunque salgan mal",
    "es.w3": ".\n; el resultado, al final.\n, como en una pizarra.\n, con calma.\n antes de decidir nada.",
    "es.w4": "El resultado solo no me sirve.\nLo va a leer alguien que empieza con {@thing}.\nHaz como si lo resolvieras en voz alta.\nTendré que defenderlo el día {%1-28}.\nAprendo más del camino que de la meta.",
    "es.nlead": "{es.hello}\nDe mi lista, el número {%2-900}:\nEsto va de {@thing}.\nMe lo mandaron ayer:\nCaso del {%1990-2025}.\nPara el día {%1-28}:",
    "es.nextra": "{es.sentence}\nTengo {%2-50} minutos.\nSin tablas.\nRedondea a {%2-5} cifras.\nOlvida {@thing}.",
    "es.hgrade": "Pregunta: {es.htask} Respuesta: {es.sentence*2-4}¿Cuántos puntos de {%5-20} le das y por qué?\n¿Cuál prefieres? Uno: {es.sentence*1-3}Dos: {es.sentence*1-3}Tema: {@thing}.\nCorrige con paciencia, {%2-5} criterios: {es.sentence*2-4}Se preguntaba por {@thing}.",
    "es.hsystem": "{es.w4} {es.w1} {es.w2}{es.w3}\n{es.w1} {es.w2}{es.w3} {es.w4}",
    # -- German --------------------------------------------------------------------------------------------------------
    "de.htask": """
{%2-9} Gruppen wollen {@task}, aber mehr als {%10-900} sind nicht drin: {@thing}. Was ist zu tun, und was würde die Antwort ändern? {de.sentence*1-2}
{de.sentence*2-3}Welche Erklärung ist am wahrscheinlichsten, und wie prüft man sie mit {%2-9} Messungen?
Schätze aus ersten Grundsätzen: {@thing}, bekannt ist nur {%10-900}. {de.sentence}
Schreibe in {lang} ein Modul für {@thing}: {%2-9} Millionen Zeilen, {%64-900} MB Speicher. {de.sentence}
Kann man mit weniger als {%5-90} auskommen und trotzdem {@task}? Beweis oder Gegenbeispiel. {de.sentence}
Drei Wege stehen zur Wahl, um das zu schaffen: {@task}. Vergleiche Aufwand und Risiko. {de.sentence}
""",
    "de.wish": "{de.w1} {de.w2}{de.w3}\n{de.w4} {de.w1} {de.w2}{de.w3}\n{de.w4}",
    "de.w1": "Nimm mich mit:\nSchreib auf,\nMich interessiert,\nLass nicht weg,\nErzähl dabei,\nHalte fest,",
    "de.w2": "wie du dorthin kommst\nwelche Einfälle du verwirfst\nwas am Ende den Ausschlag gibt\nwarum eins aus dem anderen folgt\nwo du bei {@thing} unsicher warst\nwas du im Kopf überschlägst",
    "de.w3": ".\n; das Ergebnis zuletzt.\n, wie an der Tafel.\n, in ganzen Sätzen.\n, bevor du dich festlegst.",
    "de.w4": "Das nackte Ergebnis hilft hier keinem.\nTu so, als ob du laut überlegst.\nIch muss es am {%1-28}. vertreten.\nEs liest jemand, der {@thing} noch nicht kennt.\nDer Weg ist mir wichtiger als das Ziel.",
    "de.nlead": "{de.hello}\nNummer {%2-900} von meiner Liste:\nEs geht um {@thing}.\nDas kam gestern herein:\nEin Fall von {%1990-2025}.\nFür den {%1-28}.:",
    "de.nextra": "{de.sentence}\nEs bleiben {%2-50} Minuten.\nKeine Tabellen.\nAuf {%2-5} Stellen runden.\n{@thing} spielt keine Rolle.",
    "de.hgrade": "Gefragt war: {de.htask} Abgegeben wurde: {de.sentence*2-4}Wie viele von {%5-20} Punkten, und warum?\nWelcher Text ist besser? Eins: {de.sentence*1-3}Zwei: {de.sentence*1-3}Thema: {@thing}.\nKorrigiere geduldig nach {%2-5} Gesichtspunkten: {de.sentence*2-4}Das Thema war {@thing}.",
    "de.hsystem": "{de.w4} {de.w1} {de.w2}{de.w3}\n{de.w1} {de.w2}{de.w3} {de.w4}",
    # -- French --------------------------------------------------------------------------------------------------------
    "fr.htask": """
Dans {%2-9} villes on veut {@task}, mais {@thing} limite tout à {%10-900}. Que faire, et qu'est-ce qui changerait la réponse ? {fr.sentence*1-2}
{fr.sentence*2-3}Quelle explication est la plus probable, et comment la vérifier en {%2-9} mesures ?
Estime {@thing} en partant de {%10-900} et de rien d'autre. {fr.sentence}
Écris un module en {lang} : {%2-9} millions de lignes sur {@thing}, {%64-900} Mo. {fr.sentence}
Peut-on {@task} avec moins de {%5-90} ? Preuve ou contre-exemple. {fr.sentence}
Trois façons de {@task} : compare coût et risque, puis choisis. {fr.sentence}
""",
    "fr.wish": "{fr.w1} {fr.w2}{fr.w3}\n{fr.w4} {fr.w1} {fr.w2}{fr.w3}\n{fr.w4}",
    "fr.w1": "Raconte\nMontre-moi\nÉcris\nNe saute pas\nJ'aimerais suivre\nNote",
    "fr.w2": "comment tu y arrives\nchaque idée que tu écartes\nle chemin, détours compris\nce qui emporte la décision\ntes doutes sur {@thing}\nles calculs, même ratés",
    "fr.w3": ".\n ; le résultat à la fin.\n, comme au tableau.\n, posément.\n avant de trancher.",
    "fr.w4": "Le résultat seul ne m'aide pas.\nFais comme si tu cherchais à voix haute.\nJe dois le défendre le {%1-28}.\nLe lecteur débute avec {@thing}.\nLe chemin compte plus que le but.",
    "fr.nlead": "{fr.hello}\nNuméro {%2-900} de ma liste :\nIl s'agit de {@thing}.\nReçu hier :\nUn cas de {%1990-2025}.\nPour le {%1-28} :",
    "fr.nextra": "{fr.sentence}\nIl reste {%2-50} minutes.\nPas de tableau.\nArrondis à {%2-5} chiffres.\nOublie {@thing}.",
    "fr.hgrade": "Question : {fr.htask} Réponse : {fr.sentence*2-4}Combien de points sur {%5-20}, et pourquoi ?\nLequel préfères-tu ? Un : {fr.sentence*1-3}Deux : {fr.sentence*1-3}Sujet : {@thing}.\nCorrige patiemment, {%2-5} critères : {fr.sentence*2-4}On demandait {@thing}.",
    "fr.hsystem": "{fr.w4} {fr.w1} {fr.w2}{fr.w3}\n{fr.w1} {fr.w2}{fr.w3} {fr.w4}",
    # -- Chinese -------------------------------------------------------------------------------------------------------
    "zh.htask": """
{%2-9}个单位都想{@task}，可是{@thing}最多只能到{%10-900}。该怎么办？什么会改变结论？{zh.sentence*1-2}
{zh.sentence*2-3}哪种解释最有可能？怎样用{%2-9}次测量来验证？
只知道{%10-900}这个数，请估算{@thing}。{zh.sentence}
用{lang}写一个处理{@thing}的模块，{%2-9}百万行，内存{%64-900}MB。{zh.sentence}
少于{%5-90}的情况下还能{@task}吗？请证明或举反例。{zh.sentence}
比较三种{@task}的办法，看成本和风险，选一个。{zh.sentence}
""",
    "zh.wish": "{zh.w1}{zh.w2}{zh.w3}\n{zh.w4}{zh.w1}{zh.w2}{zh.w3}\n{zh.w4}",
    "zh.w1": "请写下\n我想看看\n别省略\n边做边说\n请交代清楚\n带我走一遍",
    "zh.w2": "你是怎么想到的\n每个放弃的念头\n从条件到结论的整条路\n哪一点最关键\n对{@thing}的疑问\n所有的演算",
    "zh.w3": "。\n，结果放在最后。\n，像在黑板上那样。\n，慢慢来。\n，然后再下结论。",
    "zh.w4": "光有结果对我没用。\n就当自己在大声思考。\n{%1-28}号我要给别人讲。\n读的人刚接触{@thing}。\n过程比答案重要。",
    "zh.nlead": "{zh.hello}\n清单上的第{%2-900}个：\n关于{@thing}。\n昨天收到的：\n{%1990-2025}年的例子。\n{%1-28}号要用：",
    "zh.nextra": "{zh.sentence}\n还有{%2-50}分钟。\n不要表格。\n保留{%2-5}位。\n不用管{@thing}。",
    "zh.hgrade": "题目：{zh.htask}回答：{zh.sentence*2-4}满分{%5-20}分，给几分？为什么？\n哪个更好？甲：{zh.sentence*1-3}乙：{zh.sentence*1-3}主题是{@thing}。\n按{%2-5}个方面耐心批改：{zh.sentence*2-4}问的是{@thing}。",
    "zh.hsystem": "{zh.w4}{zh.w1}{zh.w2}{zh.w3}\n{zh.w1}{zh.w2}{zh.w3}{zh.w4}",
    # -- Japanese ------------------------------------------------------------------------------------------------------
    "ja.htask": """
{%2-9}つの町が{@task}ことを望んでいますが、{@thing}のため{%10-900}が限度です。どうすべきで、何が答えを変えますか。{ja.sentence*1-2}
{ja.sentence*2-3}最もありそうな説明はどれで、{%2-9}回の測定でどう確かめますか。
{%10-900}という数だけから{@thing}を見積もってください。{ja.sentence}
{lang}で{@thing}を扱うモジュールを書いてください。{%2-9}百万行、{%64-900}MBです。{ja.sentence}
{%5-90}未満でも{@task}ことはできますか。証明か反例をください。{ja.sentence}
""",
    "ja.wish": "{ja.w2}{ja.w1}{ja.w3}\n{ja.w4}{ja.w2}{ja.w1}{ja.w3}\n{ja.w4}",
    "ja.w1": "を書いてください\nを見せてください\nを省かないでください\nを話しながら進めてください\nも残してください",
    "ja.w2": "どう考えたか\n捨てた案\n条件から結論までの道のり\n決め手になったこと\n{@thing}への迷い\n計算の途中",
    "ja.w3": "。\n。結果は最後に。\n。黒板のように。\n。ゆっくりで構いません。",
    "ja.w4": "結果だけでは役に立ちません。\n声に出して考えるつもりで。\n{%1-28}日に説明します。\n読むのは{@thing}の初心者です。",
    "ja.nlead": "{ja.hello}\n一覧の{%2-900}番です。\n{@thing}の話です。\n昨日届きました。\n{%1990-2025}年の例です。",
    "ja.nextra": "{ja.sentence}\nあと{%2-50}分です。\n表は不要です。\n{%2-5}桁で。\n{@thing}は無視してください。",
    "ja.hgrade": "問い：{ja.htask}答え：{ja.sentence*2-4}{%5-20}点満点で何点ですか。理由も。\nどちらが良いですか。一：{ja.sentence*1-3}二：{ja.sentence*1-3}題は{@thing}です。",
    "ja.hsystem": "{ja.w4}{ja.w2}{ja.w1}{ja.w3}\n{ja.w2}{ja.w1}{ja.w3}{ja.w4}",
    # -- Russian -------------------------------------------------------------------------------------------------------
    "ru.htask": """
В {%2-9} городах хотят {@task}, но {@thing} не даёт больше {%10-900}. Что делать и что изменило бы ответ? {ru.sentence*1-2}
{ru.sentence*2-3}Какое объяснение вероятнее и как его проверить за {%2-9} измерений?
Оцени, исходя только из числа {%10-900}: {@thing}. {ru.sentence}
Напиши модуль на {lang}: {@thing}, {%2-9} миллионов строк, {%64-900} МБ. {ru.sentence}
Можно ли {@task}, если есть меньше {%5-90}? Доказательство или контрпример. {ru.sentence}
""",
    "ru.wish": "{ru.w1} {ru.w2}{ru.w3}\n{ru.w4} {ru.w1} {ru.w2}{ru.w3}\n{ru.w4}",
    "ru.w1": "Расскажи,\nЗапиши,\nПокажи,\nНе пропускай,\nХочу видеть,",
    "ru.w2": "как ты к этому приходишь\nкакие мысли отбрасываешь\nчто решает дело\nпочему одно следует из другого\nгде были сомнения про {@thing}",
    "ru.w3": ".\n; итог в конце.\n, как у доски.\n, не спеша.",
    "ru.w4": "Голый ответ мне не поможет.\nСчитай, что думаешь вслух.\nМне это защищать {%1-28} числа.\nЧитатель впервые видит {@thing}.",
    "ru.nlead": "{ru.hello}\nНомер {%2-900} из списка:\nРечь о {@thing}.\nПришло вчера:\nСлучай {%1990-2025} года.",
    "ru.nextra": "{ru.sentence}\nОсталось {%2-50} минут.\nБез таблиц.\nОкругли до {%2-5} знаков.",
    "ru.hgrade": "Вопрос: {ru.htask} Ответ: {ru.sentence*2-4}Сколько баллов из {%5-20} и почему?\nЧто лучше? Первое: {ru.sentence*1-3}Второе: {ru.sentence*1-3}Тема: {@thing}.",
    "ru.hsystem": "{ru.w4} {ru.w1} {ru.w2}{ru.w3}\n{ru.w1} {ru.w2}{ru.w3} {ru.w4}",
}  # fmt: skip
