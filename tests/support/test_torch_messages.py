"""What torch's messages say, each raised by torch itself."""

import pytest
import torch
from torch import nn

from relprop.support import torch_messages


class Given(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def export_error(function) -> Exception:
    with pytest.raises(Exception) as error:  # noqa: PT011 -- any
        torch.export.export(
            Given(function),
            (torch.ones(2, 4),),
            strict=False,
            dynamic_shapes=(({0: torch.export.Dim.DYNAMIC},)),
        )
    return error.value


@pytest.mark.parametrize(
    ("function", "fixes", "depends"),
    [
        (lambda x: x.reshape(len(x), -1), True, False),
        (lambda x: x if x.sum() > 0 else -x, False, True),
        (lambda x: x @ torch.ones(5, 3), False, False),
    ],
)
def test_a_fixed_size_and_a_condition_on_values_are_told_apart(function, fixes, depends):
    error = export_error(function)
    assert torch_messages.fixes_a_size(error) == fixes
    assert torch_messages.depends_on_values(error) == depends


def test_symbols_are_written_as_the_batch():
    assert (
        torch_messages.without_symbols("got [8*s95, 8], bias1 s3")
        == "got [8*batch, 8], bias1 batch"
    )
    text = torch_messages.without_symbols(str(export_error(lambda x: x if x.sum() > 0 else -x)))
    assert "unhinted" not in text


def test_an_operation_without_a_derivative_is_named():
    error = RuntimeError("derivative for aten::nextafter is not implemented")
    assert torch_messages.operation_without_derivative(error) == "nextafter"
    assert torch_messages.operation_without_derivative(ValueError("other")) is None


def test_flex_attention_is_recognised():
    from torch.nn.attention.flex_attention import flex_attention

    q = torch.rand(1, 1, 4, 4, requires_grad=True)
    with pytest.raises(Exception, match="FlexAttention") as error:
        flex_attention(q, q, q)
    assert torch_messages.is_flex_attention(error.value)
    assert not torch_messages.is_flex_attention(ValueError("attention"))


def test_a_value_that_is_read_by_its_data_is_recognised():
    error = export_error(lambda x: x + torch.relu((x * 2).data))
    assert torch_messages.reads_data(error)
    assert not torch_messages.reads_data(export_error(lambda x: x @ torch.ones(5, 3)))
