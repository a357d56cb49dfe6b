"""Elicitation labels: cue phrases in several languages, grouped by what they ask for.

A group counts once, at its strongest cue; groups combine as a noisy-or. One weak cue ("step by step") gives .2, what
only a training set needs gives .6 or more, and only several cues together come near 1. The wording follows public
reports and pipelines; a label is a feature of traffic, judged against matched groups, and never proof.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from stillwatch.ingest.text.lexical import CueTable, phrase_hash, tokens
from stillwatch.model import LABELS

# label -> groups; a group is (weight, phrases)
CUES: dict[str, tuple[tuple[float, tuple[str, ...]], ...]] = {
    "elicitation": (
        (0.2, ("step by step", "step-by-step", "一步一步", "逐步", "paso a paso", "schritt für schritt", "étape par étape",
               "шаг за шагом", "по шагам", "一歩ずつ", "ステップバイステップ", "passo a passo")),
        (0.35, ("show your reasoning", "explain your reasoning", "show your work", "reasoning process", "thought process",
                "chain of thought", "think aloud", "think out loud", "思维链", "推理过程", "思考过程", "cadena de pensamiento",
                "proceso de razonamiento", "gedankengang", "denkprozess", "chaîne de pensée", "raisonnement complet",
                "ход мыслей", "цепочку рассуждений", "рассуждения", "思考過程", "推論過程", "raciocínio completo",
                "your reasoning", "tu razonamiento", "deine überlegungen", "ton raisonnement", "seu raciocínio")),
        (0.45, ("before answering", "before you answer", "before the answer", "before giving", "before the final answer",
                "在回答之前", "回答之前", "antes de responder", "bevor du antwortest", "vor der antwort", "avant de répondre",
                "прежде чем ответить", "перед ответом", "答える前に", "回答する前に")),
        (0.5, ("all of your thinking", "every intermediate", "all intermediate steps", "complete reasoning", "full reasoning",
               "complete and transparent", "transparent reasoning", "entire reasoning", "raw reasoning", "internal reasoning",
               "internal monologue", "hidden reasoning", "unfiltered reasoning", "完整的推理", "全部推理", "所有思考",
               "razonamiento completo", "vollständige überlegung", "vollständigen gedankengang", "полное рассуждение",
               "все промежуточные шаги", "すべての思考", "完全な推論")),
        (0.5, ("inside think tags", "in think tags", "<think>", "<thinking>", "<reasoning>", "<scratchpad>", "thinking tags",
               "reasoning tags", "inside tags", "between the tags", "标签内", "标签中", "entre etiquetas", "in tags",
               "dans des balises", "в тегах", "タグの中", "タグ内")),
        (0.55, ("behind this finished answer", "behind the finished answer", "that led to this answer", "led to this answer",
                "reconstruct the reasoning", "reasoning behind this", "working memory", "translate your working",
                "工作记忆", "memoria de trabajo", "arbeitsgedächtnis", "mémoire de travail", "рабочую память", "作業記憶")),
        (0.3, ("debug mode", "debugging purposes", "for debugging", "system override", "developer mode", "调试模式",
               "modo de depuración", "debug modus", "режим отладки", "デバッグモード")),
        (0.25, ("do not skip", "without skipping", "leave nothing out", "in full detail", "不要省略", "sin omitir",
                "nichts auslassen", "ohne auslassungen", "sans rien omettre", "ничего не пропуская", "省略せず")),
    ),
    "grading": (
        (0.3, ("rubric", "评分标准", "rúbrica", "bewertungsraster", "bewertungskriterien", "grille d'évaluation", "критериям",
               "рубрика", "採点基準", "評価基準")),
        (0.4, ("on a scale of", "on a scale from", "score from", "score between", "rate the response", "rate the answer",
               "rate each", "scale of 1", "assign a score", "give a score", "打分", "评分", "给出分数", "califica", "puntúa",
               "puntuación", "bewerte", "note de", "évalue", "оцени", "оцените", "оценку от", "採点", "点数", "avalie", "pontuação")),
        (0.5, ("which response is better", "which answer is better", "compare the two", "response a", "response b",
               "answer a", "answer b", "preferred response", "chosen and rejected", "哪个回答更好", "回答a", "respuesta a",
               "antwort a", "réponse a", "ответ а", "どちらの回答")),
        (0.5, ("reward model", "preference data", "act as a judge", "impartial judge", "strict grader", "as a grader",
               "reference answer", "参考答案", "respuesta de referencia", "referenzantwort", "réponse de référence",
               "эталонный ответ", "эталонным ответом", "模範解答", "評価者")),
        (0.35, ("output only the score", "only the score", "score and nothing else", "just the number", "只输出分数", "solo la puntuación",
                "nur die punktzahl", "uniquement la note", "только оценку", "点数のみ")),
    ),
    "safe_rewrite": (
        (0.5, ("rewrite the question", "rewrite this question", "rewrite the prompt", "rephrase the question", "改写问题",
               "改写以下问题", "reescribe la pregunta", "formuliere die frage", "reformule la question", "перепиши вопрос",
               "переформулируй вопрос", "質問を書き換え")),
        (0.5, ("politically sensitive", "harmless version", "safe version", "neutral version", "harmless alternative",
               "non-sensitive", "less sensitive", "敏感", "无害", "versión segura", "versión neutral", "harmlose", "neutrale fassung",
               "version neutre", "inoffensive", "безопасную версию", "нейтральн", "безобидн", "無害", "穏当")),
        (0.3, ("would not be refused", "avoid refusal", "policy compliant", "without being refused", "不会被拒绝", "sin ser rechazada")),
    ),
    "trace_cleaning": (
        (0.5, ("reasoning trace", "reasoning traces", "thinking trace", "chain-of-thought trace", "agent trajectory", "trajectory",
               "推理轨迹", "思维轨迹", "traza de razonamiento", "denkspur", "gedankenspur", "trace de raisonnement",
               "trace de réflexion", "трассу рассуждений", "след рассуждений", "推論トレース", "思考トレース")),
        (0.4, ("clean up the following", "clean the following", "remove redundant", "remove repetition", "remove backtracking",
               "compress the following", "condense the following", "rewrite the trace", "清理", "去除冗余", "limpia", "elimina repeticiones",
               "bereinige", "nettoie", "очисти", "убери повторы", "整理して", "冗長")),
        (0.4, ("keep the final answer", "preserve the final answer", "same final answer", "self-consistent", "保留最终答案",
               "conserva la respuesta final", "behalte die endgültige antwort", "conserve la réponse finale",
               "сохрани итоговый ответ", "最終的な答え")),
    ),
    "task_generation": (
        (0.45, ("generate a new", "create a new problem", "come up with a new", "come up with a task", "write a new task",
                "generate diverse", "diverse set of", "diverse instructions", "generate instructions", "new instruction",
                "生成新的", "多样化", "编写一个新", "genera una nueva", "crea un problema", "erstelle eine neue", "entwirf eine neue",
                "génère un nouveau", "crée un nouveau problème", "придумай новую", "создай новую", "新しい問題", "新しいタスク")),
        (0.45, ("task and solution", "problem and solution", "question and answer pairs", "question-answer pairs", "with a solution and",
                "solution and tests", "unit tests for the solution", "instruction and output", "instruction, input", "题目和答案",
                "任务和解答", "tarea y solución", "aufgabe und lösung", "aufgabe mit lösung", "tâche et solution", "задачу и решение", "問題と解答")),
        (0.5, ("training data", "training set", "training example", "training examples", "fine-tuning", "finetuning", "synthetic data",
               "训练数据", "训练样本", "datos de entrenamiento", "trainingsdaten", "données d'entraînement", "обучающих данных",
               "обучающие данные", "学習データ", "訓練データ", "dados de treinamento")),
        (0.3, ("increase the difficulty", "harder than", "more difficult version", "of varying difficulty", "提高难度", "aumenta la dificultad",
               "schwierigkeitsgrad", "augmente la difficulté", "усложни", "難易度")),
    ),
}  # fmt: skip


@cache
def cue_table() -> CueTable:
    """The cues as a hash table for the kernel."""
    entries: dict[int, tuple[int, int, float]] = {}
    firsts, longest = set(), 1
    for label, groups in CUES.items():
        for group, (weight, phrases) in enumerate(groups):
            for phrase in phrases:
                raw, *_ = tokens(phrase.encode())
                entries[phrase_hash(raw)] = (LABELS.index(label), group, weight)
                firsts.add(int(raw[0]))
                longest = max(longest, len(raw))
    keys, places = _table(sorted(entries))
    labels, groups_, weights = (
        np.zeros(len(keys), np.int8),
        np.zeros(len(keys), np.int8),
        np.zeros(len(keys), np.float32),
    )
    for key, place in places.items():
        labels[place], groups_[place], weights[place] = entries[key]
    return CueTable(keys, labels, groups_, weights, _table(sorted(firsts))[0], longest)


def _table(keys: list[int]) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint64]], dict[int, int]]:
    """Open addressing at a load of at most a quarter; the slots and each key's place."""
    size = 1 << (4 * len(keys)).bit_length()
    slots, places = np.zeros(size, np.uint64), {}
    for key in keys:
        at = key & (size - 1)
        while slots[at]:
            at = (at + 1) & (size - 1)
        slots[at], places[key] = np.uint64(key), at
    return slots, places
