"""Small Llama and BERT classifiers, and LXT's efficient rules on them.

LXT rewrites the classes of transformers for good, so it runs in a process of its own.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import torch
from parity_networks import CLASSES, ModelAndInput, pictures, randomise
from parity_peers import Method, initial_relevance
from torch import Tensor, nn

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


class Classifier(nn.Module):
    """A transformer on embeddings (batch, tokens, width), and a linear layer on one token."""

    def __init__(self, core: nn.Module, token: int) -> None:
        super().__init__()
        self.core, self.token = core, token
        self.head = nn.Linear(SIZES["hidden_size"], CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Map embeddings to scores (batch, CLASSES)."""
        return self.head(self.core(inputs_embeds=x)[0][:, self.token])


def llama(attention: str) -> nn.Module:
    """Build Llama with grouped queries, classified at its last token."""
    from transformers.models.llama import modeling_llama as source

    options = {"num_key_value_heads": 2, "use_cache": False, "attn_implementation": attention}
    return Classifier(source.LlamaModel(source.LlamaConfig(**SIZES, **options)), -1)


def bert(attention: str) -> nn.Module:
    """Build BERT, classified at its first token."""
    from transformers.models.bert import modeling_bert as source

    config = source.BertConfig(**SIZES, attn_implementation=attention)
    return Classifier(source.BertModel(config, add_pooling_layer=False), 0)


MODELS = {"Llama": llama, "BERT": bert}


def build(name: str, attention: str) -> ModelAndInput:
    """Build a network, and draw two sequences of 7 embeddings."""
    return randomise(MODELS[name](attention)), pictures(2, 7, SIZES["hidden_size"])


BUILDERS = {
    f"{name}, {attention} attention": partial(build, name, attention)
    for name in MODELS
    for attention in ("eager", "sdpa")
}


def patch(name: str, rules: str) -> None:
    """Let LXT rewrite the classes of transformers."""
    from lxt.efficient import core, models
    from transformers.models.bert import modeling_bert
    from transformers.models.llama import modeling_llama

    source = {"Llama": modeling_llama, "BERT": modeling_bert}[name]
    core.monkey_patch(source, getattr(getattr(models, name.lower()), rules))


def patched_gradient(
    name: str, attention: str, rules: str, state: dict[str, Tensor], x: Tensor, classes: Tensor
) -> Tensor:
    """Compute gradient x input of the score, in a process where LXT rewrote the classes."""
    patch(name, rules)
    model = MODELS[name](attention).to(x.dtype).eval()
    model.load_state_dict(state)
    x = x.clone().requires_grad_()
    output = model(x)
    score = (output * (initial_relevance(output, classes) != 0)).sum()
    return (torch.autograd.grad(score, x)[0] * x).detach()


def by_efficient(name: str, attention: str, rules: str) -> Method:
    """Explain one of `MODELS` with a map of LXT's rules, "attnLRP" or "cp_LRP"."""

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            given = (name, attention, rules, model.state_dict(), x, classes)
            return pool.submit(patched_gradient, *given).result()

    return explain
