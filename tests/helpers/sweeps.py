"""Sweeps: files of which `make test` runs some cases of each test, and `make slow` the others."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]

# File -> of how many cases of a parametrised test one runs in `make test`.
SWEEPS = {
    "bundle_report/test_write.py": 6,
    "bundles/test_bundle.py": 4,
    "capture/test_batch_axes.py": 3,
    "capture/test_configuration.py": 12,
    "capture/test_export.py": 4,
    "capture/test_failure.py": 4,
    "capture/test_from_export.py": 12,
    "capture/test_functionalize.py": 20,
    "capture/test_masks.py": 4,
    "capture/test_model.py": 4,
    "capture/test_softmax_divisor.py": 6,
    "capture/test_softmax_logits.py": 6,
    "capture/test_split_qkv.py": 20,
    "capture/test_written_log_softmax.py": 6,
    "capture/test_written_softmax.py": 12,
    "explanation/test_backward.py": 12,
    "explanation/test_open_sizes.py": 4,
    "explanation/test_saved_explanation.py": 3,
    "explanation/test_saved_plans.py": 24,
    "graph/test_dropped.py": 3,
    "graph/test_final_functions.py": 3,
    "graph/test_head.py": 2,
    "graph/test_probabilities.py": 6,
    "graph/test_prune.py": 12,
    "graph/test_prune_rules.py": 10,
    "graph/test_squashing.py": 3,
    "graph/test_weighted_mean.py": 3,
    "integrations/test_captum.py": 4,
    "networks/test_picture_families.py": 12,
    "networks/test_series_families.py": 8,
    "networks/test_table_mlp.py": 4,
    "networks/test_texts_families.py": 6,
    "plan/test_comparisons.py": 3,
    "plan/test_head.py": 6,
    "plan/test_planner.py": 12,
    "plan/test_validation.py": 32,
    "program/test_attention.py": 20,
    "program/test_compiled.py": 6,
    "program/test_weight_cache.py": 2,
    "rules/test_linear.py": 10,
    "rules/test_recurrent.py": 16,
    "rules/test_secants.py": 12,
    "rules/test_steps.py": 5,
    "rules/test_sums.py": 3,
    "support/test_model_input.py": 3,
    "test_testing.py": 16,
    "whole_package/test_bad_input.py": 3,
    "whole_package/test_gallery.py": 3,
    "whole_package/test_ledger_causes.py": 6,
    "whole_package/test_ledger_masks.py": 6,
    "whole_package/test_presets.py": 6,
    "whole_package/test_random_graphs.py": 16,
    "whole_package/test_random_networks.py": 12,
    "whole_package/test_refusals.py": 3,
    "whole_package/test_safety.py": 16,
    "whole_package/test_zennit.py": 20,
    "whole_package/test_zoo.py": 64,
}


def mark_slow_cases(items: Iterable[Any]) -> None:
    """Mark the cases of sweeps as slow, but for every n-th one."""
    seen: Counter[str] = Counter()
    for item in items:
        every = SWEEPS.get(_file(item))
        if every is None or not hasattr(item, "callspec"):
            continue
        test = item.nodeid.partition("[")[0]
        if seen[test] % every:
            item.add_marker(pytest.mark.slow)
        seen[test] += 1


def _file(item: Any) -> str:
    path = Path(item.path)
    return path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""
