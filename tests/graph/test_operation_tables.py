"""Tables that name torch's operations, held to torch and to each other.

graph/ops.py says what each table is for. A name that is misspelt, that torch no longer has, or that
contradicts another table would go unnoticed otherwise: nothing would ever match it.
"""

from collections import Counter

import pytest
import torch

from relprop.capture import batch_axes, eval_mode, operation_names
from relprop.graph import named_operations, ops, prune, prune_rules, taken_positions
from relprop.graph.ops import OPERATIONS, Principle
from relprop.observe import channels
from relprop.program import normalisation, vjps
from relprop.rules import recurrent

# Operations of extensions, which register them on import: of transformers.
OF_EXTENSIONS = {"grouped_mm_fallback"}
# Their results are masks or indices, through which no relevance propagates.
MASKS = {
    *("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_not"),
    *("bitwise_and", "bitwise_or", "bitwise_not", "argsort"),
}
# They copy or compute entry by entry, whatever their principle.
COPIES = {
    *("where", "masked_fill", "alias", "clone", "contiguous", "to", "_to_copy", "type_as"),
}

TABLES = {
    "graph/ops.OPERATIONS": set(OPERATIONS),
    "graph/ops.SHAPES_ONLY": ops.SHAPES_ONLY,
    "graph/ops.FIRST_BY_VALUE": ops.FIRST_BY_VALUE,
    "graph/ops.FACTORS": set(ops.FACTORS),
    "graph/ops.FIRST_ONLY": ops.FIRST_ONLY,
    "graph/ops, by arguments": set(ops._BY_ARGUMENTS),
    "graph/named_operations": named_operations.OPERATIONS_BY_NAMESPACE["aten"],
    "graph/prune_rules": set(prune_rules._RULES),
    "graph/prune_rules.SIZED": prune_rules.SIZED,
    "graph/prune, taking positions": set(taken_positions.TAKES),
    "graph/prune, costly": prune._COSTLY,
    "capture/batch_axes, reordering": batch_axes._REORDERING,
    "capture/operation_names, own memory": operation_names._NEW_MEMORY,
    "observe/channels, second": channels.CHANNELS_SECOND,
    "observe/channels, last": channels.CHANNELS_LAST,
    "observe/channels, of the input": channels.CHANNELS_OF_INPUT,
    "program/vjps": set(vjps._VJPS),
    "program/normalisation": set(normalisation._HELD),
    "rules/recurrent": set(recurrent._CELLS),
}


def test_a_file_of_plans_may_name_whatever_stands_in_another_table():
    names = {name.partition(".")[0] for table in TABLES.values() for name in table}
    assert names <= TABLES["graph/named_operations"]


def test_no_operation_that_a_file_may_name_draws_or_reads_files():
    """Those that draw random numbers do so only on request: `refuse_other_effects` sees it."""
    only_on_request = {
        "gru",
        "lstm",
        "rnn_relu",
        "rnn_tanh",
        "rrelu",
        "scaled_dot_product_attention",
    }
    draws = set()
    for name in TABLES["graph/named_operations"] - OF_EXTENSIONS:
        packet = getattr(torch.ops.aten, name)
        for operation in (getattr(packet, overload) for overload in packet.overloads()):
            arguments = {argument.name for argument in operation._schema.arguments}
            assert "filename" not in arguments, operation
            if "generator" in arguments or torch.Tag.nondeterministic_seeded in operation.tags:
                draws.add(name)
    assert draws == only_on_request


def principles(names) -> set[Principle]:
    return {OPERATIONS[name].principle for name in names}


def of_kind(*kinds: str) -> set[str]:
    return {name for name, operation in OPERATIONS.items() if operation.kind in kinds}


@pytest.mark.parametrize("table", TABLES)
def test_every_name_is_an_operation_of_torch(table):
    for name in TABLES[table] - OF_EXTENSIONS:
        base, _, overload = name.partition(".")
        assert hasattr(torch.ops.aten, base), name
        assert not overload or hasattr(getattr(torch.ops.aten, base), overload), name


def test_operations_of_extensions_exist_where_these_are_installed():
    pytest.importorskip("transformers.integrations.moe")
    assert all(hasattr(torch.ops.transformers, name) for name in OF_EXTENSIONS)


def test_no_operation_has_two_records():
    count = Counter(name for names in ops._NAMES_BY_RECORD.values() for name in names.split())
    assert [name for name in count if count[name] > 1] == []


@pytest.mark.parametrize("table", TABLES)
def test_every_name_is_an_operation_that_relprop_knows(table):
    others = {  # operations that need no record, since no relevance propagates through them
        "graph/ops.SHAPES_ONLY": ops.SHAPES_ONLY,
        "graph/prune_rules": MASKS,
        "capture/batch_axes, reordering": {*MASKS, "take"},
        "observe/channels, last": {"embedding"},  # a source
    }
    others["graph/named_operations"] = TABLES["graph/named_operations"]
    bases = {name.partition(".")[0] for name in TABLES[table]}
    assert bases - set(OPERATIONS) <= others.get(table, set())


def test_tables_of_arguments_agree_with_the_records():
    assert not ops.SHAPES_ONLY & set(OPERATIONS)
    assert principles(ops.FIRST_BY_VALUE) == {Principle.SELECTION}
    assert set(ops.FACTORS) <= of_kind("product", "matmul")


def test_a_rule_of_pruning_that_is_entrywise_is_of_an_elementwise_operation():
    rules = prune_rules._RULES
    entrywise = {name for name, rule in rules.items() if rule is prune_rules.entrywise_dims}
    for name in entrywise - MASKS - COPIES:
        operation = OPERATIONS[name]
        assert operation.elementwise or operation.principle is Principle.ACTIVATION, name
    assert set(rules) >= prune_rules.SIZED
    assert set(taken_positions.TAKES) <= set(OPERATIONS)
    assert set(of_kind("normalisation")) >= {n for n in rules if n.endswith("_norm")}


def test_options_that_pruning_allows_are_options_of_its_operations():
    """All of these are keyword arguments of some overload; a misspelt one would block pruning."""
    packets = [getattr(torch.ops.aten, name) for name in prune_rules._RULES]
    overloads = [getattr(packet, name) for packet in packets for name in packet.overloads()]
    options = {argument.name for overload in overloads for argument in overload._schema.arguments}
    assert options >= prune_rules._OPTIONS


def test_a_vjp_by_hand_is_of_a_linear_operation_or_a_product():
    linear = set(vjps._VJPS) - of_kind("product") - of_kind("matmul")
    assert principles(linear) <= {Principle.SELECTION, Principle.LINEAR}


def test_every_operation_of_a_kind_is_implemented():
    assert set(normalisation._HELD) == of_kind("normalisation")
    assert set(recurrent._CELLS) == of_kind("recurrent")
    lowered = {"linear", "convolution", "average-pool"}  # by program/lower_layers
    assert set(ops.WEIGHTED_SUMS) == lowered


def test_channels_stay_only_where_entries_are_copied():
    assert principles(channels.CHANNELS_OF_INPUT) == {Principle.SELECTION}
    tables = channels.CHANNELS_SECOND, channels.CHANNELS_LAST, channels.CHANNELS_OF_INPUT
    assert sum(map(len, tables)) == len(set().union(*tables))


def test_what_may_reorder_samples_computes_no_activation():
    known = batch_axes._REORDERING & set(OPERATIONS)
    assert principles(known) <= {Principle.SELECTION, Principle.CHOICE, Principle.LINEAR}


def test_words_for_random_numbers_are_in_names_of_torch_but_in_none_that_is_known():
    names = {schema.name.removeprefix("aten::") for schema in torch._C._jit_get_all_schemas()}
    for word in eval_mode._RANDOM:
        assert any(word in name for name in names), word
        assert not any(word in name for name in OPERATIONS), word
