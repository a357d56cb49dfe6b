"""Six more languages: one short word list an area, and a small grammar each."""

# ruff: noqa: E501 - word lists and grammar lines are as long as they are

from __future__ import annotations

LANGUAGES = ("en", "es", "de", "fr", "zh", "ja", "ru")
"""The first is English, whose words are by topic (`topics`)."""

_SOURCE = """
es
software: servidor web; índice compuesto; copia de seguridad; cola de mensajes; sesión de usuario; certificado; consulta lenta; contenedor; registro de errores; caché # reducir la latencia; migrar una tabla; depurar un fallo; automatizar un despliegue; limitar las peticiones; escribir una prueba
ciencia: célula; reacción química; órbita; péndulo; enzima; espectro; onda estacionaria; cometa; gen; lente # explicar el fenómeno; medir la constante; comparar dos modelos; estimar el error; diseñar un experimento; describir el ciclo
números: ecuación cuadrática; hipoteca; muestra; presupuesto; tasa de interés; matriz; curva de demanda; impuesto; regresión; intervalo de confianza # calcular el total; demostrar la igualdad; comparar dos préstamos; ahorrar para un viaje; interpretar el gráfico; repartir los gastos
salud: tensión arterial; plan de comidas; dolor de rodilla; alergia; sueño; ansiedad; entrenamiento; vacuna; receta sin gluten; informe médico # preparar la consulta; planear la semana; leer un análisis; dormir mejor; volver a correr; comer con menos sal
letras: soneto; tratado de paz; contrato de alquiler; narrador; argumento; cláusula; crónica; fábula; archivo; dilema moral # resumir el capítulo; comparar dos fuentes; redactar una queja; escribir un cuento corto; explicar la cláusula; defender una postura
negocio: boletín; pedido atrasado; oferta de empleo; reembolso; ruta de reparto; encuesta; factura; reunión semanal; campaña; inventario # escribir un correo amable; responder a una queja; planear el lanzamiento; reducir el desperdicio; organizar los turnos; resumir la reunión
hogar: sopa de lentejas; viaje en tren; huerto; cumpleaños; masa madre; balcón; deberes; paella; mochila; cuento para dormir # organizar una fiesta; plantar tomates; viajar con niños; cocinar para doce; ayudar con fracciones; ahorrar tiempo
oficio: panel solar; viñedo; acorde; viga; bomba de agua; acuarela; riego; motor; informe de emisiones; taller # ahorrar energía; afinar la guitarra; calcular la carga; planear la cosecha; reparar la fuga; elegir el material

de
software: Lastverteiler; Fremdschlüssel; Datensicherung; Nachrichtenwarteschlange; Zertifikat; Zwischenspeicher; Abfrageplan; Container; Fehlerprotokoll; Sitzung # die Antwortzeit senken; eine Tabelle umziehen; einen Absturz untersuchen; die Auslieferung automatisieren; Anfragen begrenzen; einen Test schreiben
wissenschaft: Zelle; Gleichgewicht; Umlaufbahn; Pendel; Enzym; Spektrum; stehende Welle; Komet; Gen; Linse # den Vorgang erklären; die Konstante messen; zwei Modelle vergleichen; den Fehler abschätzen; einen Versuch planen; den Kreislauf beschreiben
zahlen: Gleichung; Baufinanzierung; Stichprobe; Haushaltsplan; Zinssatz; Matrix; Nachfragekurve; Steuererklärung; Regression; Konfidenzintervall # die Summe berechnen; die Behauptung beweisen; zwei Kredite vergleichen; für eine Reise sparen; das Diagramm deuten; Kosten aufteilen
gesundheit: Blutdruck; Speiseplan; Knieschmerz; Allergie; Schlaf; Lampenfieber; Trainingsplan; Impfung; Laborbefund; Arztbrief # das Arztgespräch vorbereiten; die Woche planen; einen Befund verstehen; besser schlafen; wieder laufen; salzarm kochen
geist: Sonett; Friedensvertrag; Mietvertrag; Erzähler; Gedankenexperiment; Klausel; Chronik; Fabel; Stadtarchiv; Pflicht # das Kapitel zusammenfassen; zwei Quellen vergleichen; einen Widerspruch schreiben; eine Kurzgeschichte schreiben; die Klausel erklären; den Einwand beantworten
betrieb: Rundbrief; verspätetes Paket; Stellenanzeige; Rückerstattung; Lieferroute; Umfrage; Rechnung; Besprechung; Lagerbestand; Angebot # eine freundliche Mail schreiben; auf eine Beschwerde antworten; die Einführung planen; Abfall verringern; Schichten einteilen; das Protokoll kürzen
alltag: Linsensuppe; Nachtzug; Hochbeet; Geburtstag; Sauerteig; Balkon; Hausaufgabe; Apfelkuchen; Rucksack; Gutenachtgeschichte # ein Fest planen; Tomaten ziehen; mit Kindern reisen; für zwölf kochen; Brüche erklären; Brot frisch halten
handwerk: Wärmepumpe; Weinberg; Akkord; Dachbalken; Wasserpumpe; Aquarell; Fruchtfolge; Getriebe; Dämmung; Werkstatt # Strom sparen; die Gitarre stimmen; die Last berechnen; die Ernte planen; das Leck finden; das Holz auswählen

fr
logiciel: serveur; clé étrangère; sauvegarde; file de messages; certificat; cache; requête lente; conteneur; journal d'erreurs; session # réduire la latence; déplacer une table; trouver la panne; automatiser la livraison; limiter les appels; écrire un test
science: cellule; équilibre; orbite; pendule; enzyme; spectre; onde stationnaire; comète; gène; lentille # expliquer le phénomène; mesurer la constante; comparer deux modèles; estimer l'erreur; concevoir une expérience; décrire le cycle
nombres: équation; prêt immobilier; échantillon; budget; taux d'intérêt; matrice; courbe de demande; impôt; régression; intervalle de confiance # calculer le total; démontrer l'égalité; comparer deux prêts; épargner pour un voyage; lire le graphique; partager les frais
santé: tension; plan de repas; douleur au genou; allergie; sommeil; trac; entraînement; vaccin; bilan sanguin; lettre du médecin # préparer la consultation; planifier la semaine; comprendre un bilan; mieux dormir; reprendre la course; manger moins salé
lettres: sonnet; traité de paix; bail; narrateur; expérience de pensée; clause; chronique; fable; archive; devoir # résumer le chapitre; comparer deux sources; rédiger une réclamation; écrire une nouvelle; expliquer la clause; répondre à l'objection
affaires: infolettre; colis en retard; offre d'emploi; remboursement; tournée; sondage; facture; réunion; stock; devis # écrire un courriel aimable; répondre à une plainte; préparer le lancement; réduire les déchets; organiser les équipes; résumer la réunion
maison: soupe de lentilles; train de nuit; potager; anniversaire; levain; balcon; devoirs; tarte aux pommes; sac à dos; histoire du soir # organiser une fête; planter des tomates; voyager avec des enfants; cuisiner pour douze; expliquer les fractions; garder le pain frais
métier: pompe à chaleur; vignoble; accord; poutre; pompe à eau; aquarelle; irrigation; engrenage; isolation; atelier # économiser l'énergie; accorder la guitare; calculer la charge; planifier la récolte; trouver la fuite; choisir le bois

zh
软件: 负载均衡; 外键; 数据备份; 消息队列; 证书; 缓存; 慢查询; 容器; 错误日志; 用户会话 # 降低延迟; 迁移数据表; 排查崩溃; 自动部署; 限制请求; 编写测试
科学: 细胞; 化学平衡; 轨道; 单摆; 酶; 光谱; 驻波; 彗星; 基因; 透镜 # 解释这个现象; 测量常数; 比较两个模型; 估计误差; 设计实验; 描述循环
数字: 二次方程; 房贷; 样本; 家庭预算; 利率; 矩阵; 需求曲线; 个人所得税; 回归; 置信区间 # 计算总额; 证明等式; 比较两种贷款; 为旅行存钱; 解读图表; 分摊费用
健康: 血压; 食谱; 膝盖疼痛; 过敏; 睡眠; 焦虑; 训练计划; 疫苗; 化验单; 病历 # 准备就诊; 安排一周; 看懂化验单; 改善睡眠; 恢复跑步; 少吃盐
人文: 十四行诗; 和约; 租房合同; 叙述者; 思想实验; 条款; 编年史; 寓言; 档案; 道德义务 # 概括这一章; 比较两种史料; 写一封投诉信; 写一篇短篇小说; 解释条款; 回应反对意见
商务: 简报; 延误的包裹; 招聘启事; 退款; 配送路线; 问卷; 发票; 周会; 库存; 报价单 # 写一封礼貌的邮件; 回复投诉; 策划发布; 减少浪费; 安排班次; 整理会议记录
生活: 扁豆汤; 夜班火车; 菜园; 生日; 酸面团; 阳台; 作业; 苹果派; 背包; 睡前故事 # 筹备聚会; 种西红柿; 带孩子旅行; 给十二个人做饭; 讲解分数; 保存面包
工艺: 热泵; 葡萄园; 和弦; 横梁; 水泵; 水彩; 灌溉; 齿轮; 保温层; 车间 # 节约用电; 给吉他调音; 计算荷载; 安排收割; 寻找漏点; 选择木料

ja
ソフト: ロードバランサー; 外部キー; バックアップ; メッセージキュー; 証明書; キャッシュ; 遅いクエリ; コンテナ; エラーログ; セッション # 応答時間を短くする; テーブルを移行する; 障害を調べる; 配備を自動化する; 要求を制限する; テストを書く
科学: 細胞; 化学平衡; 軌道; 振り子; 酵素; スペクトル; 定常波; 彗星; 遺伝子; レンズ # 現象を説明する; 定数を測る; 二つのモデルを比べる; 誤差を見積もる; 実験を計画する; 循環を述べる
数: 二次方程式; 住宅ローン; 標本; 家計; 金利; 行列; 需要曲線; 確定申告; 回帰; 信頼区間 # 合計を求める; 等式を証明する; 二つのローンを比べる; 旅行の費用を貯める; グラフを読む; 費用を分ける
健康: 血圧; 献立; 膝の痛み; アレルギー; 睡眠; 緊張; 運動計画; 予防接種; 検査結果; 紹介状 # 診察の準備をする; 一週間を計画する; 検査結果を理解する; よく眠る; また走り始める; 塩分を減らす
人文: ソネット; 講和条約; 賃貸契約; 語り手; 思考実験; 条項; 年代記; 寓話; 古文書; 義務 # 章を要約する; 二つの史料を比べる; 苦情の手紙を書く; 短編を書く; 条項を説明する; 反論に答える
仕事: 会報; 遅れた荷物; 求人票; 返金; 配送経路; アンケート; 請求書; 会議; 在庫; 見積書 # 丁寧なメールを書く; 苦情に返事をする; 発売を計画する; 無駄を減らす; 当番を決める; 議事録を短くする
暮らし: レンズ豆のスープ; 夜行列車; 家庭菜園; 誕生日; 天然酵母; ベランダ; 宿題; りんごのケーキ; リュック; 寝る前の話 # 会を準備する; トマトを育てる; 子どもと旅行する; 十二人分を作る; 分数を教える; パンを保存する
技: ヒートポンプ; ぶどう畑; 和音; 梁; 水ポンプ; 水彩画; 輪作; 歯車; 断熱材; 工房 # 電気を節約する; ギターを調弦する; 荷重を計算する; 収穫を計画する; 漏れを探す; 木材を選ぶ

ru
софт: балансировщик; внешний ключ; резервная копия; очередь сообщений; сертификат; кэш; медленный запрос; контейнер; журнал ошибок; сессия # снизить задержку; перенести таблицу; найти причину сбоя; автоматизировать выкладку; ограничить запросы; написать тест
наука: клетка; химическое равновесие; орбита; маятник; фермент; спектр; стоячая волна; комета; ген; линза # объяснить явление; измерить постоянную; сравнить две модели; оценить погрешность; спланировать опыт; описать круговорот
числа: уравнение; ипотека; выборка; семейный бюджет; ставка; матрица; кривая спроса; налог; регрессия; доверительный интервал # вычислить сумму; доказать равенство; сравнить два кредита; накопить на поездку; прочитать график; разделить расходы
здоровье: давление; меню; боль в колене; аллергия; сон; волнение; план тренировок; прививка; анализ крови; выписка # подготовиться к приёму; спланировать неделю; понять анализ; лучше спать; снова начать бегать; есть меньше соли
слово: сонет; мирный договор; договор аренды; рассказчик; мысленный опыт; пункт; летопись; басня; архив; долг # пересказать главу; сравнить два источника; написать жалобу; написать рассказ; объяснить пункт; ответить на возражение
дело: рассылка; задержанная посылка; вакансия; возврат денег; маршрут доставки; опрос; счёт; совещание; склад; смета # написать вежливое письмо; ответить на жалобу; подготовить запуск; сократить отходы; составить график смен; сократить протокол
дом: чечевичный суп; ночной поезд; грядка; день рождения; закваска; балкон; домашнее задание; яблочный пирог; рюкзак; сказка на ночь # устроить праздник; вырастить помидоры; путешествовать с детьми; готовить на двенадцать человек; объяснить дроби; хранить хлеб
ремесло: тепловой насос; виноградник; аккорд; балка; водяной насос; акварель; полив; шестерня; утепление; мастерская # сберечь энергию; настроить гитару; рассчитать нагрузку; спланировать урожай; найти течь; выбрать дерево
"""


def _read(source: str) -> dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]:
    out = {}
    for block in source.strip().split("\n\n"):
        language, *lines = block.split("\n")
        areas = []
        for line in lines:
            things, _, tasks = line.partition(": ")[2].partition(" # ")
            areas.append((tuple(w.strip() for w in things.split(";")), tuple(w.strip() for w in tasks.split(";"))))
        out[language] = tuple(areas)
    return out


WORDS = _read(_SOURCE)
"""Language -> areas -> (things, tasks)."""

RULES = {
    "es.ask": """
¿Cómo puedo {@task} con {@thing}? Tengo {%2-30} días y {es.limit}.
Explícame qué es {@thing} y cómo se relaciona con {@thing}. {es.style}
Necesito {@task}. Ya probé con {@thing}, pero {es.trouble}. ¿Qué más puedo hacer?
Compara {@thing} y {@thing} para {@task}. {es.style}
{es.hello} quiero {@task} y no sé por dónde empezar. {es.limit2} {es.style}
Resume este texto en {%2-6} frases:\\n\\n{es.sentence*3-8}
Traduce al inglés: "{es.sentence*1-3}"
Resuelve paso a paso: {%3-40} personas quieren {@task}; cada una necesita {%2-19} horas y solo hay {%20-300}. ¿Alcanza?
""",
    "es.hello": "Hola,\\nBuenas,\\nBuenos días,\\nOye,".replace("\\n", "\n"),
    "es.limit": "poco dinero\nsolo un ordenador viejo\nsolo los fines de semana\nnada de experiencia\nun equipo de {%2-9} personas",
    "es.limit2": "Somos {%2-9} personas.\nTengo que terminar el {%1-28}.\nEs para mi trabajo.\nEs para un curso.",
    "es.style": "Sé breve.\nDa un ejemplo.\nUsa una tabla.\nEscribe para principiantes.\nPor favor, con números.\nGracias.",
    "es.trouble": "no funciona\nda error {%100-599}\nel resultado cambia cada vez\nme dicen que es caro",
    "es.sentence": """
El informe sobre {@thing} dice que hay que {@task} antes del día {%1-28}. {es.join}
Según los datos, {@thing} aumentó un {%2-90} % y {@thing} bajó. {es.join}
En nuestra experiencia, {@task} depende sobre todo de {@thing}. {es.join}
""",
    "es.join": "\nAsí lo vimos en {%3-40} casos. \nNo todos están de acuerdo. \nPor eso hicimos {%2-9} pruebas. ",
    "es.more": "¿Y si solo tengo {%2-20} horas?\nNo entiendo la parte de {@thing}, explícala otra vez.\nHazlo más corto.\n¿Puedes añadir {@thing}?\nGracias, ¿y para {@task}?",
    "es.reply": "Para {@task} conviene empezar por {@thing}. {es.sentence*2-5}\nSí. {es.sentence*2-6}",
    "de.ask": """
Wie kann ich am besten {@task}? Es geht um {@thing}, und ich habe {%2-30} Tage Zeit.
Erkläre mir bitte {@thing} und den Unterschied zu {@thing}. {de.style}
{de.hello} ich möchte {@task}, aber {de.trouble}. Was würdest du tun?
Vergleiche {@thing} und {@thing} in einer Tabelle mit {%3-7} Zeilen. {de.style}
Fasse den Text in {%2-6} Sätzen zusammen:\\n\\n{de.sentence*3-8}
Übersetze ins Englische: "{de.sentence*1-3}"
Rechne Schritt für Schritt: {%3-40} Leute wollen {@task}, jeder braucht {%2-19} Stunden. Reichen {%20-300} Stunden?
Schreib mir einen Entwurf: {@thing}, {%80-300} Wörter, {de.style}
""",
    "de.hello": "Hallo,\nGuten Tag,\nMoin,\nKurze Frage:",
    "de.style": "Bitte kurz.\nMit einem Beispiel.\nFür Anfänger.\nIn einfachen Worten.\nMit Zahlen, bitte.",
    "de.trouble": "es klappt nicht\nich bekomme Fehler {%100-599}\ndas Ergebnis schwankt\ndas Geld reicht nicht\nniemand weiß Bescheid",
    "de.sentence": """
Im Bericht über {@thing} steht, dass wir bis zum {%1-28}. fertig sein müssen. {de.join}
Nach den Zahlen stieg {@thing} um {%2-90} Prozent, während {@thing} gleich blieb. {de.join}
Wer {@task} will, braucht vor allem Geduld und {@thing}. {de.join}
""",
    "de.join": "\nDas sahen wir in {%3-40} Fällen. \nNicht alle sind einverstanden. \nDarum gab es {%2-9} Versuche. ",
    "de.more": "Und wenn ich nur {%2-20} Stunden habe?\nDen Teil mit {@thing} verstehe ich nicht.\nBitte kürzer.\nKannst du noch {@thing} ergänzen?\nDanke! Und wie kann ich {@task}?",
    "de.reply": "Um das zu schaffen ({@task}), beginne mit {@thing}. {de.sentence*2-5}\nGern. {de.sentence*2-6}",
    "fr.ask": """
Comment {@task} avec {@thing} ? J'ai {%2-30} jours devant moi. {fr.style}
Peux-tu m'expliquer {@thing} et la différence avec {@thing} ? {fr.style}
{fr.hello} je voudrais {@task}, mais {fr.trouble}. Que me conseilles-tu ?
Compare {@thing} et {@thing} dans un tableau de {%3-7} lignes.
Résume ce texte en {%2-6} phrases :\\n\\n{fr.sentence*3-8}
Traduis en anglais : « {fr.sentence*1-3} »
Calcule étape par étape : {%3-40} personnes veulent {@task}, chacune a besoin de {%2-19} heures. Est-ce que {%20-300} heures suffisent ?
""",
    "fr.hello": "Bonjour,\nSalut,\nBonsoir,\nPetite question :",
    "fr.style": "Sois bref.\nDonne un exemple.\nPour débutants, merci.\nAvec des chiffres.\nEn mots simples.",
    "fr.trouble": "rien ne marche\nj'ai l'erreur {%100-599}\nle résultat change\nc'est trop cher\npersonne ne sait",
    "fr.sentence": """
Le rapport sur {@thing} dit qu'il faut finir avant le {%1-28}. {fr.join}
D'après les chiffres, {@thing} a augmenté de {%2-90} % et {@thing} a baissé. {fr.join}
Pour {@task}, il faut surtout {@thing} et du temps. {fr.join}
""",
    "fr.join": "\nNous l'avons vu dans {%3-40} cas. \nTout le monde n'est pas d'accord. \nD'où {%2-9} essais. ",
    "fr.more": "Et si je n'ai que {%2-20} heures ?\nJe ne comprends pas la partie sur {@thing}.\nPlus court, s'il te plaît.\nPeux-tu ajouter {@thing} ?\nMerci ! Et pour {@task} ?",
    "fr.reply": "Pour {@task}, commence par {@thing}. {fr.sentence*2-5}\nBien sûr. {fr.sentence*2-6}",
    "zh.ask": """
怎么用{@thing}来{@task}？我有{%2-30}天时间。{zh.style}
请解释一下{@thing}，以及它和{@thing}的区别。{zh.style}
{zh.hello}我想{@task}，但是{zh.trouble}，该怎么办？
用表格比较{@thing}和{@thing}，{%3-7}行就够。
把下面的文字概括成{%2-6}句话：\\n\\n{zh.sentence*3-8}
翻译成英文：“{zh.sentence*1-3}”
请一步一步计算：{%3-40}个人要{@task}，每人需要{%2-19}小时，{%20-300}小时够吗？
""",
    "zh.hello": "你好，\n您好，\n请问，\n打扰了，",
    "zh.style": "请简短回答。\n举个例子。\n用简单的话说。\n最好有数字。\n谢谢。",
    "zh.trouble": "一直不成功\n报错{%100-599}\n结果每次不一样\n预算不够\n没有经验",
    "zh.sentence": """
关于{@thing}的报告说，{%1-28}号之前要完成。{zh.join}
数据显示，{@thing}增加了{%2-90}%，而{@thing}没有变化。{zh.join}
要想{@task}，最重要的是{@thing}。{zh.join}
""",
    "zh.join": "我们看了{%3-40}个例子。\n并不是所有人都同意。\n所以做了{%2-9}次试验。",
    "zh.more": "如果只有{%2-20}小时呢？\n关于{@thing}的部分我没看懂。\n请再短一点。\n能加上{@thing}吗？\n谢谢，那{@task}呢？",
    "zh.reply": "要{@task}，可以先从{@thing}开始。{zh.sentence*2-5}\n好的。{zh.sentence*2-6}",
    "ja.ask": """
{@thing}を使って{@task}にはどうすればいいですか。期間は{%2-30}日です。{ja.style}
{@thing}とは何か、{@thing}との違いも教えてください。{ja.style}
{ja.hello}{@task}ことを考えていますが、{ja.trouble}。どうしたらいいでしょうか。
{@thing}と{@thing}を{%3-7}行の表で比べてください。
次の文章を{%2-6}文に要約してください。\\n\\n{ja.sentence*3-8}
英語に訳してください。「{ja.sentence*1-3}」
順を追って計算してください。{%3-40}人が{@task}のに一人{%2-19}時間かかります。{%20-300}時間で足りますか。
""",
    "ja.hello": "こんにちは。\nお世話になります。\n質問です。\nすみません、",
    "ja.style": "短くお願いします。\n例をください。\nやさしい言葉で。\n数字も入れてください。",
    "ja.trouble": "うまくいきません\nエラー{%100-599}が出ます\n結果が毎回変わります\n予算が足りません\n経験がありません",
    "ja.sentence": """
{@thing}の報告では、{%1-28}日までに終える必要があります。{ja.join}
数字によると、{@thing}は{%2-90}％増え、{@thing}は変わりません。{ja.join}
{@task}には、まず{@thing}が大切です。{ja.join}
""",
    "ja.join": "{%3-40}件で確かめました。\n反対の意見もあります。\nそこで{%2-9}回試しました。",
    "ja.more": "{%2-20}時間しかない場合は？\n{@thing}のところが分かりません。\nもっと短くしてください。\n{@thing}も加えてください。\nありがとう。では{@task}には？",
    "ja.reply": "{@task}には、{@thing}から始めるとよいでしょう。{ja.sentence*2-5}\nはい。{ja.sentence*2-6}",
    "ru.ask": """
Как лучше {@task}, если у меня есть {@thing} и {%2-30} дней? {ru.style}
Объясни, что такое {@thing} и чем отличается {@thing}. {ru.style}
{ru.hello} хочу {@task}, но {ru.trouble}. Что посоветуешь?
Сравни в таблице: {@thing} и {@thing}, {%3-7} строк.
Перескажи текст в {%2-6} предложениях:\\n\\n{ru.sentence*3-8}
Переведи на английский: «{ru.sentence*1-3}»
Посчитай по шагам: {%3-40} человек хотят {@task}, каждому нужно {%2-19} часов. Хватит ли {%20-300} часов?
""",
    "ru.hello": "Привет,\nДобрый день,\nЗдравствуйте,\nПодскажите:",
    "ru.style": "Коротко, пожалуйста.\nС примером.\nПростыми словами.\nС числами.\nДля новичка.",
    "ru.trouble": "ничего не выходит\nпоявляется ошибка {%100-599}\nрезультат каждый раз другой\nне хватает денег\nнет опыта",
    "ru.sentence": """
В отчёте сказано: {@thing}, срок до {%1-28} числа. {ru.join}
По данным, {@thing} даёт рост на {%2-90} процентов, а {@thing} без изменений. {ru.join}
Чтобы {@task}, прежде всего нужны время и {@thing}. {ru.join}
""",
    "ru.join": "\nМы проверили {%3-40} случаев. \nНе все согласны. \nПоэтому провели {%2-9} опытов. ",
    "ru.more": "А если есть только {%2-20} часов?\nНе понимаю часть, где {@thing}.\nКороче, пожалуйста.\nДобавь, пожалуйста: {@thing}.\nСпасибо! А как {@task}?",
    "ru.reply": "Чтобы {@task}, начни так: {@thing}. {ru.sentence*2-5}\nХорошо. {ru.sentence*2-6}",
}  # fmt: skip
"""Grammar rules of the six languages: LANGUAGE.ask, .more (a follow-up) and .reply."""
