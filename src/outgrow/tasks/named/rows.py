"""How a row of each data set becomes a text or a question: at most five lines a task."""

from __future__ import annotations

import re

from outgrow.core.files.columns.choice_columns import conversation
from outgrow.tasks.named.form import Labelled, Question, Row, first, number, question

ENTAILMENT = ("entailment", "neutral", "contradiction")


def boolq(row: Row) -> Labelled:
    label = number(first(row, "label", "answer"))
    return Labelled(f"{row['passage']}\nQuestion: {row['question']}", label, row["passage"])


def cosmos_qa(row: Row) -> Question:
    texts = [row[f"answer{place}"] for place in range(4)]
    return Question(f"{row['context']}\nQuestion: {row['question']}", texts, int(row["label"]), row["context"])


def dream(row: Row) -> Question:
    talk = "\n".join(row["dialogue"])
    return question(f"{talk}\nQuestion: {row['question']}", row["choice"], row["answer"], talk)


def justice(row: Row) -> Labelled:
    return Labelled(row["scenario"], number(row["label"]))


def deontology(row: Row) -> Labelled:
    return Labelled(f"{row['scenario']} {row['excuse']}", number(row["label"]), row["scenario"])


def virtue(row: Row) -> Labelled:
    text, _, trait = row["scenario"].partition(" [SEP] ")
    return Labelled(f"{text}\nTrait: {trait}", number(row["label"]), text)


def utilitarianism(row: Row) -> Question:
    return Question("", [row["baseline"], row["less_pleasant"]], 0)


def anli(row: Row) -> Labelled:
    text = f"{first(row, 'premise', 'context')}\nHypothesis: {first(row, 'hypothesis', 'statement')}"
    label = number(first(row, "label", "gold_label"), "e", "n", "c")
    return Labelled(text, int(label == 0), first(row, "premise", "context"))


def cola(row: Row) -> Labelled:
    return Labelled(row["sentence"], number(row["label"]))


def sst2(row: Row) -> Labelled:
    return Labelled(first(row, "sentence", "text"), number(row["label"]))


def hellaswag(row: Row) -> Question:
    return Question(row["ctx"], row["endings"], int(row["label"]))


def mc_taco(row: Row) -> Labelled:
    asked = f"{row['sentence']}\nQuestion: {row['question']}"
    return Labelled(f"{asked}\nAnswer: {row['answer']}", number(row["label"]), row["sentence"])


def openbookqa(row: Row) -> Question:
    stem = first(row, "question_stem", "Question Stem")
    return question(stem, first(row, "choices", "Choices"), first(row, "answerKey", "Answer Key"))


def pair_of_sentences(row: Row) -> Labelled:
    one, other = first(row, "sentence1", "#1 String"), first(row, "sentence2", "#2 String")
    return Labelled(f"{one}\n{other}", number(first(row, "label", "Quality")))


def quail(row: Row) -> Question:
    asked = f"{row['context']}\nQuestion: {row['question']}"
    return Question(asked, row["answers"], int(row["correct_answer_id"]), row["context"])


def piqa(row: Row) -> Question:
    return Question(row["goal"], [row["sol1"], row["sol2"]], int(row["label"]))


def quartz(row: Row) -> Question:
    return question(f"{row['para']}\nQuestion: {row['question']}", row["choices"], row["answerKey"], row["para"])


def sciq(row: Row) -> Labelled | Question:
    if "txt" in row:  # the binary rows that OpenAI's code for the paper wrote
        return Labelled(row["txt"], number(row["gt_label"]), row["txt"].partition(" A: ")[0])
    wrong = [row[f"distractor{place}"] for place in (1, 2, 3)]
    return Question(f"{row['support']}\nQuestion: {row['question']}".strip(), [row["correct_answer"], *wrong], 0)


def social_i_qa(row: Row) -> Question:
    texts = [row[f"answer{letter}"] for letter in "ABC"]
    return Question(f"{row['context']}\nQuestion: {row['question']}", texts, int(row["label"]) - 1, row["context"])


def multirc(row: Row) -> Labelled:
    asked = f"{row['paragraph']}\nQuestion: {row['question']}"
    return Labelled(f"{asked}\nAnswer: {row['answer']}", number(row["label"]), row["paragraph"])


def wic(row: Row) -> Labelled:
    return Labelled(f"{row['word']}\n{row['sentence1']}\n{row['sentence2']}", number(row["label"]))


def tweets(row: Row) -> Labelled | None:
    label = int(row["label"])  # 0 negative, 1 neutral, 2 positive: the binary task leaves neutral ones out
    return None if label == 1 else Labelled(row["text"], label // 2)


def arc(row: Row) -> Question:
    if "instruction" in row:  # a copy that has the question and its answers in one text
        asked, rest = row["instruction"].partition("question: ")[2].split("\n\nAnswer1:", 1)
        given = "Answer1:" + rest.partition("\n\nAnswer format")[0]
        return question(asked, given, row["answer"].removeprefix("answer"))
    return question(row["question"], row["choices"], row["answerKey"])


def commonsense_qa(row: Row) -> Question:
    asked = row["question"]
    if isinstance(asked, dict):
        return question(asked["stem"], asked["choices"], row["answerKey"])
    return question(asked, row["choices"], row["answerKey"])


def commonsense_qa_2(row: Row) -> Labelled:
    return Labelled(row["question"], number(row["answer"]))


def copa(row: Row) -> Question:
    asks = {"cause": "What was the cause?", "effect": "What happened then?"}
    return Question(f"{row['premise']} {asks[row['question']]}", [row["choice1"], row["choice2"]], int(row["label"]))


def cb(row: Row) -> Labelled:
    label = number(row["label"], "entailment", "contradiction", "neutral")
    return Labelled(f"{row['premise']}\nHypothesis: {row['hypothesis']}", label, row["premise"])


def rte(row: Row) -> Labelled:
    label = number(row["label"], "entailment", "not_entailment")
    return Labelled(f"{row['premise']}\nHypothesis: {row['hypothesis']}", 1 - label, row["premise"])


def wsc(row: Row) -> Labelled:
    spans = row.get("target") or row
    return Labelled(f"{row['text']}\n{spans['span2_text']} is {spans['span1_text']}", number(row["label"]), row["text"])


def truthful_qa(row: Row) -> Question:
    wrong = first(row, "incorrect_answers", "Incorrect Answers")
    wrong = [text.strip() for text in wrong.split(";") if text.strip()] if isinstance(wrong, str) else wrong
    best = first(row, "best_answer", "Best Answer")
    return Question(first(row, "question", "Question"), [best, *dict.fromkeys(wrong)], 0)


def imdb(row: Row) -> Labelled:
    return Labelled(first(row, "text", "review"), number(first(row, "label", "sentiment"), "negative", "positive"))


def ag_news(row: Row) -> Labelled:
    if "title" in row:  # a copy with classes from 1
        return Labelled(f"{row['title']}\n{row['description']}", int(row["label"]) - 1)
    return Labelled(row["text"], int(row["label"]))


def gsm8k(row: Row) -> Question:
    steps, _, last = re.sub(r"<<[^>]*>>", "", row["answer"]).partition("\n#### ")
    value = int(last.replace(",", ""))
    wrong = value + 1 + len(steps) % max(2, abs(value) // 2)  # another number, drawn by the length of the steps
    return Question(row["question"], [f"{steps}\nIn all: {value}", f"{steps}\nIn all: {wrong}"], 0)


def preferences(row: Row) -> Question | None:
    context, texts = conversation(row["chosen"], row["rejected"])
    return Question(context, texts, 0)
