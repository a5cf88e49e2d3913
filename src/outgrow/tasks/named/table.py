"""The table of named tasks. A further one is a row here and, where no function of `rows` fits, one of at most five lines.

Hub names are as the hub has them; each is read at the commit that its `main` has when a run begins (no commit is pinned
here, as none could be looked up). Licences are what the holders of the rows state, as far as known: look before you publish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outgrow.tasks.named import rows
from outgrow.tasks.named.form import Form, NamedTask, Row

BOTH: tuple[Form, ...] = ("binary", "choice")
NLI = ("not entailed", "entailed")
TONE = ("negative", "positive")
NEWS = ("World", "Sports", "Business", "Sci/Tech")
SUPERGLUE = "aps/super_glue"
ETHICS = "hendrycks/ethics"


def _paper(hub: str, read: Callable[[Row], Any], about: str, licence: str, **more: Any) -> NamedTask:
    return NamedTask(hub, read, about, licence, paper=True, **more)


TASKS: Mapping[str, NamedTask] = {
    "boolq": _paper(
        SUPERGLUE, rows.boolq, "yes or no to a question about a passage", "CC BY-SA 3.0", config="boolq", seen=3270
    ),
    "cosmos_qa": _paper(
        "allenai/cosmos_qa", rows.cosmos_qa, "commonsense about a narrative", "CC BY 4.0", forms=BOTH, seen=2985
    ),
    "dream": _paper(
        "dataset-org/dream", rows.dream, "questions about a dialogue", "research only", test="test", forms=BOTH, seen=10197
    ),
    "ethics_justice": _paper(
        ETHICS, rows.justice, "is the reason just?", "MIT", config="justice", test="test", seen=24495
    ),
    "ethics_deontology": _paper(
        ETHICS, rows.deontology, "does the excuse hold?", "MIT", config="deontology", test="test", seen=21760
    ),
    "ethics_virtue": _paper(
        ETHICS, rows.virtue, "does the trait show?", "MIT", config="virtue", test="test", seen=33220
    ),
    "ethics_utilitarianism": _paper(
        ETHICS, rows.utilitarianism, "which is the more pleasant?", "MIT", config="utilitarianism", test="test",
        forms=BOTH, pair=True, seen=18546,
    ),
    "anli_r2": _paper(
        "facebook/anli", rows.anli, "does the text entail the hypothesis? adversarial, round 2", "CC BY-NC 4.0",
        train="train_r2", test="test_r2", classes=NLI, seen=1000,
    ),
    "cola": _paper("nyu-mll/glue", rows.cola, "is the sentence acceptable?", "research use", config="cola", seen=9078),
    "sst2": _paper(
        "stanfordnlp/sst2", rows.sst2, "is the film review's tone positive?", "none stated", classes=TONE, seen=9613
    ),
    "hellaswag": _paper("Rowan/hellaswag", rows.hellaswag, "how does the text go on?", "MIT", forms=BOTH, seen=10042),
    "mc_taco": _paper(
        "CogComp/mc_taco", rows.mc_taco, "is the answer about time plausible?", "none stated", train="validation",
        test="test", seen=13225,
    ),
    "openbookqa": _paper(
        "allenai/openbookqa", rows.openbookqa, "science with a book of facts", "Apache-2.0", config="main", test="test",
        forms=BOTH, seen=5457,
    ),
    "paws": _paper(
        "google-research-datasets/paws", rows.pair_of_sentences, "do the two sentences mean the same?", "free, by Google",
        config="labeled_final", test="test",
    ),
    "quail": _paper(
        "textmachinelab/quail", rows.quail, "questions about a text of one of four domains", "CC BY-NC-SA 4.0", forms=BOTH,
        seen=2164,
    ),
    "piqa": _paper("ybisk/piqa", rows.piqa, "which way reaches a physical goal?", "AFL 3.0", forms=BOTH, seen=1838),
    "quartz": _paper(
        "allenai/quartz", rows.quartz, "questions about qualitative relations", "CC BY 4.0", test="test", forms=BOTH
    ),
    "sciq": _paper("allenai/sciq", rows.sciq, "science exam questions", "CC BY-NC 3.0", test="test", forms=BOTH, seen=21194),
    "social_i_qa": _paper(
        "allenai/social_i_qa", rows.social_i_qa, "what follows in a social situation?", "CC BY 4.0", forms=BOTH, seen=1954
    ),
    "multirc": _paper(
        SUPERGLUE, rows.multirc, "is the answer about a paragraph right?", "research use", config="multirc", seen=32091
    ),
    "wic": _paper(
        SUPERGLUE, rows.wic, "has the word one sense in both sentences?", "CC BY-NC 4.0", config="wic", seen=6066
    ),
    "tweet_sentiment": _paper(
        "cardiffnlp/tweet_eval", rows.tweets, "is the tweet's tone positive? neutral ones left out", "Twitter's terms",
        config="sentiment", test="test", classes=TONE, seen=14284,
    ),
    "arc_easy": NamedTask(
        "allenai/ai2_arc", rows.arc, "school science, easy", "CC BY-SA 4.0", config="ARC-Easy", test="test", forms=BOTH
    ),
    "arc_challenge": NamedTask(
        "allenai/ai2_arc", rows.arc, "school science, hard", "CC BY-SA 4.0", config="ARC-Challenge", test="test",
        forms=BOTH, seen=2291,
    ),
    "commonsense_qa": NamedTask(
        "tau/commonsense_qa", rows.commonsense_qa, "commonsense, five answers", "MIT", forms=BOTH, seen=10962
    ),
    "commonsense_qa_2": NamedTask(
        "tasksource/commonsense_qa_2.0", rows.commonsense_qa_2, "is the statement true?", "CC BY 4.0", seen=11805
    ),
    "copa": NamedTask(
        SUPERGLUE, rows.copa, "cause or effect of a premise", "BSD-2-Clause", config="copa", forms=BOTH, seen=500
    ),
    "cb": NamedTask(
        SUPERGLUE, rows.cb, "does the speaker commit to the clause?", "none stated", config="cb",
        classes=("entailment", "contradiction", "neutral"), seen=306,
    ),
    "rte": NamedTask(
        SUPERGLUE, rows.rte, "does the text entail the hypothesis?", "none stated", config="rte", classes=NLI, seen=2767
    ),
    "wsc": NamedTask(SUPERGLUE, rows.wsc, "whom does the pronoun mean?", "CC BY 4.0", config="wsc", seen=658),
    "mrpc": NamedTask(
        "nyu-mll/glue", rows.pair_of_sentences, "is it a paraphrase?", "Microsoft's terms", config="mrpc", test="test",
        seen=5801,
    ),
    "truthful_qa": NamedTask(
        "truthfulqa/truthful_qa", rows.truthful_qa, "questions that people answer falsely", "Apache-2.0",
        config="generation", train="validation", test=None, forms=BOTH, seen=817,
    ),
    "anli_r1": NamedTask(
        "facebook/anli", rows.anli, "as anli_r2, round 1", "CC BY-NC 4.0", train="train_r1", test="test_r1", classes=NLI,
        seen=1000,
    ),
    "anli_r3": NamedTask(
        "facebook/anli", rows.anli, "as anli_r2, round 3", "CC BY-NC 4.0", train="train_r3", test="test_r3", classes=NLI,
        seen=1198,
    ),
    "imdb": NamedTask(
        "stanfordnlp/imdb", rows.imdb, "is the whole film review positive?", "research use", test="test", classes=TONE,
        seen=3000,
    ),
    "ag_news": NamedTask(
        "fancyzhx/ag_news", rows.ag_news, "which of four topics?", "non-commercial", test="test", classes=NEWS, seen=7600
    ),
    "gsm8k": NamedTask(
        "openai/gsm8k", rows.gsm8k, "is the solution's last line right?", "MIT", config="main", test="test", forms=BOTH,
        seen=8792,
    ),
    "hh_helpful": NamedTask(
        "Anthropic/hh-rlhf", rows.preferences, "which answer is the more helpful?", "MIT", config="helpful-base",
        test="test", forms=("choice",), seen=2354,
    ),
    "hh_harmless": NamedTask(
        "Anthropic/hh-rlhf", rows.preferences, "which answer is the less harmful?", "MIT", config="harmless-base",
        test="test", forms=("choice",), seen=2312,
    ),
}  # fmt: skip

SUITES: Mapping[str, tuple[str, ...]] = {"paper22": tuple(name for name, task in TASKS.items() if task.paper)}


def __getattr__(name: str) -> NamedTask:
    """A row by its name, as `core.registry` finds a member of a module."""
    if name in TASKS:
        return TASKS[name]
    raise AttributeError(name)
