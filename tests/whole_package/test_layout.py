"""Where is a module tested? In tests/<folder>/test_<module>.py, or where a table here says."""

import ast
from pathlib import Path

import pytest

import relprop

TESTS = Path(__file__).parents[1]
PACKAGE = Path(relprop.__file__).parent
BENCHMARKS = TESTS.parent / "benchmarks"

# Folders that mirror no folder of the package.
OTHERS = ("helpers", "whole_package", "benchmarks")

# Test files of something that is no module of the package: of all tables of operations.
OF_NO_MODULE = ("graph/test_operation_tables.py",)

# Modules without a test file of their name, by the file that tests them.
ALSO_TESTED_IN = {
    "search/test_run.py": [
        *(
            "search/contents",
            "search/finish",
            "search/first_steps",
            "search/model",
        ),
        *("search/request", "search/shelf", "search/timing", "search/trial"),
    ],
    "search/test_study.py": ["search/journal"],
    "search/test_workers.py": ["search/worker"],
    "cli/test_explain.py": [
        *("report/batches", "report/curves", "report/open_samples"),
        *("report/output", "report/page", "report/pictures", "report/records", "report/run"),
        "report/texts",
    ],
    "cli/test_tune.py": [
        *("cli/model_options", "tuning/output", "tuning/run", "tuning/samples"),
    ],
    "tuning/test_dimensions.py": ["tuning/space"],
    "tuning/test_api.py": ["tuning/methods", "tuning/result", "tuning/setting"],
    "bundle_report/test_removal.py": ["bundle_report/removal_units"],
    "bundle_report/test_write.py": [
        *("bundle_report/explanations", "bundle_report/sections"),
    ],
    "bundles/test_bundle.py": ["bundles/build", "bundles/naming"],
    "bundles/test_write.py": ["bundles/content", "support/json_records"],
    "demo/test_output.py": ["demo/run", "support/folders"],
    "capture/test_configuration.py": ["capture/attributes"],
    "capture/test_functionalize.py": ["capture/inline_blocks", "capture/operation_names"],
    "explanation/test_prove_sizes.py": ["explanation/built_program"],
    "explanation/test_buckets.py": ["explanation/own_sizes", "explanation/own_targets"],
    "explanation/test_program_cache.py": [
        *("explanation/configurations", "support/recent_items"),
    ],
    "graph/test_prune.py": ["graph/taken_positions"],
    "capture/test_export.py": ["support/exported_sizes"],
    "capture/test_model.py": ["capture/samples", "capture/verify", "program/diagnosis"],
    "capture/test_written_softmax.py": [
        "capture/exponential_paths",
        "capture/rewriting",
        "capture/trial",
        "graph/unread_softmax",
    ],
    "compare_models/test_run.py": ["compare_models/measure", "compare_models/output"],
    "compare/test_run.py": ["compare/curve_tensors", "compare/results", "compare/settings"],
    "data/test_load.py": ["data/families"],
    "data/sources/test_pictures.py": [
        "data/sources/picture_files",
        "data/sources/picture_sizes",
    ],
    "data/sources/test_tables.py": ["data/sources/table_formats"],
    "evaluate/fills/test_from_data.py": ["evaluate/images"],
    "evaluate/removal/test_curves.py": [
        "evaluate/removal/removed_inputs",
        "evaluate/removal/score_curve",
    ],
    "evaluate/removal/test_curve_page.py": [
        "evaluate/removal/method_curves",
        "plot/charts",
        "plot/pages",
    ],
    "evaluate/removal/test_units.py": [
        "evaluate/removal/unit_order",
        "evaluate/removal/unit_relevance",
    ],
    "evaluate/sanity/test_parameter_randomisation.py": [
        "evaluate/sanity/call_method",
        "evaluate/sanity/reinitialise",
    ],
    "plan/test_planner.py": ["plan/forms", "plan/merge_activations"],
    "explanation/test_drawing.py": [
        "plot/options",
        "plot/picture_figure",
        "plot/picture_grid",
        "plot/pictures",
        "plot/series_figure",
        "plot/table_figure",
        "plot/text_figure",
        "plot/view",
    ],
    "explanation/test_html.py": ["plot/html"],
    "explanation/test_overall.py": [
        "explanation/importance",
        "plot/importance",
        "plot/importance_figure",
        "plot/importance_page",
    ],
    "explanation/test_explainer.py": [
        "explanation/build",
        "explanation/explain",
    ],
    "explanation/test_targets.py": ["explanation/label_tensors", "explanation/target_advice"],
    "training/test_teacher.py": ["training/teacher_models"],
    "models/test_train.py": ["models/training"],
    "networks/test_picture_families.py": [
        *("networks/family", "networks/mirror", "networks/picture_cnn"),
        *("networks/picture_convnext", "networks/picture_layers", "networks/picture_mlp"),
    ],
    "networks/test_table_mlp.py": ["networks/member_layers", "networks/tabm"],
    "networks/test_series_families.py": [
        *("networks/sequences", "networks/series_convolutions"),
        *("networks/series_inputs", "networks/series_sequences"),
    ],
    "networks/test_texts_families.py": ["networks/texts_sequences"],
    "observe/test_ledger.py": [
        "observe/ledger_plot",
        "observe/ledger_table",
        "program/observer",
    ],
    "prepare/test_pictures.py": ["prepare/base"],
    "prepare/test_tables.py": ["prepare/fit_tables", "prepare/sample_row"],
    "program/test_compiled.py": ["explanation/run_compiled"],
    "program/test_schedule.py": ["program/lowering"],
    "program/test_weight_cache.py": ["rules/weights"],
    "rules/test_linear.py": [
        "program/lower_layers",
        "rules/backward",
        "rules/lowered_layer",
    ],
    "rules/test_nonlinear.py": ["rules/autodiff"],
    "rules/test_registry.py": ["rules/layer", "rules/rule"],
    "cli/test_prune.py": ["report/class_samples"],
    "use/pruning/test_held_out.py": ["use/pruning/save"],
    "use/pruning/test_channels.py": [
        *("use/pruning/groups", "use/pruning/relevance", "use/pruning/selection"),
        *("use/pruning/arguments", "use/pruning/record", "use/pruning/stepwise"),
    ],
    "explanation/test_layer_use.py": ["explanation/labelled_samples", "observe/channel_sums"],
    "cli/test_select.py": [
        *("use/selection/figures", "use/selection/output", "use/selection/run"),
    ],
    "use/selection/test_over_k.py": ["use/selection/rankers"],
    "use/selection/test_table_features.py": ["use/selection/features", "use/selection/modalities"],
    "use/selection/test_selector.py": ["use/selection/arrays"],
    "whole_package/test_bad_input.py": ["explanation/option_advice", "explanation/options"],
    "whole_package/test_cuda.py": ["program/cuda_graph"],
}
TESTED_IN = {module: file for file, listed in ALSO_TESTED_IN.items() for module in listed}


def modules() -> list[str]:
    """List modules of the package, as paths, that define public functions or classes."""
    return sorted(
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in PACKAGE.rglob("*.py")
        if path.stem not in ("__init__", "__main__") and defines_public_names(path)
    )


def defines_public_names(path: Path) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        for node in ast.parse(path.read_text()).body
    )


def own_test_file(module: str) -> Path:
    folder, _, name = module.rpartition("/")
    return TESTS / folder / f"test_{name}.py"


TEST_FILES = [
    path.relative_to(TESTS)
    for path in sorted(TESTS.rglob("test_*.py"))
    if path.relative_to(TESTS).parts[0] not in OTHERS
    and str(path.relative_to(TESTS)) not in OF_NO_MODULE
]


@pytest.mark.parametrize("path", TEST_FILES, ids=str)
def test_a_test_file_is_named_after_the_module_that_it_tests(path):
    module = PACKAGE / path.parent / path.name.removeprefix("test_")
    assert module.exists(), f"{path} tests no module: there is no {module}"


def test_files_for_benchmarks_are_named_after_their_modules():
    for path in (TESTS / "benchmarks").glob("test_*.py"):
        assert (BENCHMARKS / path.name.removeprefix("test_")).exists(), path


@pytest.mark.parametrize("module", modules())
def test_a_module_has_a_test_file(module):
    if module in TESTED_IN:
        assert not own_test_file(module).exists(), f"take {module} out of ALSO_TESTED_IN"
    else:
        assert own_test_file(module).exists(), f"add tests, or name {module} in ALSO_TESTED_IN"


def test_the_table_names_modules_and_files_that_exist():
    assert set(TESTED_IN) <= set(modules())
    assert [file for file in ALSO_TESTED_IN if not (TESTS / file).exists()] == []
