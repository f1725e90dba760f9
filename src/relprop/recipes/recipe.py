"""Recipes: which rule each operation of a model gets, as an ordered table that can be printed.

Takes names of presets, selectors and rules. Gives rows, of which the first that matches an
operation decides its rule. Must not know any model.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..graph.ops import Kind
from ..rules.registry import RuleDefinition
from ..rules.rule import Rule, bounds_of_input, brief
from ..support.arguments import complete_parameters, keyword_parameters
from . import serialize
from .presets import PRESETS, choose_preset, unknown_preset
from .selectors import RecipeRow, Selector, selector_of_name


@dataclass(frozen=True)
class Recipe:
    """Assign a rule to each operation of a model: the first row that matches decides.

    Make a recipe with `Recipe.preset`, extend it with `using`, print it to read it. Recipes do
    not change: `using` returns another.

    Attributes:
        name: The preset and those of its parameters that are not the defaults.
        rows: The rows, first match first.
        automatic: The rows of a preset follow, chosen by what operations the model has.

    Example:
        >>> import relprop
        >>> recipe = relprop.Recipe.preset("cp-lrp").using("head", "gamma", gamma=0.1)
        >>> print(recipe)
        recipe cp-lrp
          "head"                               gamma(gamma=0.1)
          any convolution or linear            epsilon(epsilon=0, relative=False)
          any product                          constant-gate
          any average-pool                     epsilon(epsilon=1e-06, relative=False)
          any softmax                          constant
          any attention                        cp-lrp
          any product or matmul                uniform
          any gate                             constant-gate
          any normalisation                    constant-statistics
          any recurrent                        signal-takes-all(epsilon=0.001)
        >>> relprop.Recipe.from_toml(recipe.to_toml()) == recipe
        True
    """

    name: str
    rows: tuple[RecipeRow, ...]
    automatic: bool = False

    @classmethod
    def preset(cls, name: str, **parameters: Any) -> "Recipe":
        """Return a recipe by name.

        Args:
            name: "auto" chooses one of the others by what operations the model has; the plan
                says which. Uniform: "zero", "epsilon", "gamma", "alpha-beta". By depth and layer
                type, as the Zennit library defines them: "epsilon-plus", "epsilon-plus-flat",
                "epsilon-gamma-box", "epsilon-alpha2-beta1", "epsilon-alpha2-beta1-flat". For
                attention: "attnlrp", "cp-lrp", "libragrad".
            **parameters: Parameters of the preset's rules, such as `gamma`. "epsilon-gamma-box"
                needs `low` and `high`, the bounds of the input: numbers, or tensors that
                broadcast to a sample.

        Returns:
            The recipe.

        Raises:
            InputError: An unknown name or parameter, or a parameter out of range.

        Example:
            >>> Recipe.preset("gamma", gamma=0.1).name
            'gamma(gamma=0.1)'
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise unknown_preset(name)
        signature = keyword_parameters(PRESETS[name])
        examples = bounds_of_input(parameters)
        call = "{}" if parameters else f'relprop.Recipe.preset("{name}", {{}})'
        values = complete_parameters(f'preset "{name}"', signature, parameters, examples, call)
        rows = tuple(PRESETS[name](**values))  # which checks the values
        changed = [
            f"{key}={brief(value)}"
            for key, value in values.items()
            if isinstance(value, Tensor) or value != signature[key].default
        ]
        label = f"{name}({', '.join(changed)})" if changed else name
        return cls(label, rows, automatic=name == "auto")

    def using(
        self, selector: str | Selector, rule: str | RuleDefinition, **parameters: Any
    ) -> "Recipe":
        """Return a recipe with another rule for the operations that `selector` selects.

        The new row comes before all others. Planning fails if it applies to no operation.

        Args:
            selector: A glob on dotted names of modules, or a `Selector`.
            rule: Name of a rule, or a rule made by `relprop.rule`.
            **parameters: Parameters of the rule.

        Raises:
            InputError: An unknown rule or parameter, or a parameter out of range.

        Example:
            >>> print(Recipe.preset("epsilon").using("features.*", "gamma").rows[0])
            "features.*"                         gamma(gamma=0.25)
        """
        chosen = selector
        if not isinstance(chosen, Selector):
            arguments = [f'"{rule}"' if isinstance(rule, str) else "rule"]
            arguments += [f"{name}={brief(value)}" for name, value in parameters.items()]
            chosen = selector_of_name(selector, ", ".join(arguments))
        row = RecipeRow(chosen, Rule.of(rule, parameters), required=True)
        return replace(self, rows=(row, *self.rows))

    def to_toml(self) -> str:
        """Write the recipe as TOML, without loss.

        Returns:
            Text that `from_toml` reads.

        Raises:
            InputError: The recipe has a rule made by `relprop.rule`, which is code.
        """
        return serialize.to_toml(self._fields)

    def to_json(self) -> str:
        """Write the recipe as JSON, without loss.

        Returns:
            Text that `from_json` reads.

        Raises:
            InputError: The recipe has a rule made by `relprop.rule`, which is code.
        """
        return serialize.to_json(self._fields)

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """Read a recipe from TOML, written by `to_toml` or by hand.

        Args:
            text: The TOML text.

        Returns:
            The recipe.

        Raises:
            InputError: The text is not a recipe.

        Example:
            >>> recipe = Recipe.from_toml('''
            ... [[rows]]
            ... kinds = ["convolution", "linear"]
            ... rule = "gamma"
            ... ''')
            >>> print(recipe)
            recipe recipe
              any convolution or linear            gamma(gamma=0.25)
        """
        return cls(*serialize.from_toml(text))

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Read a recipe from JSON, written by `to_json` or by hand.

        Args:
            text: The JSON text.

        Returns:
            The recipe.

        Raises:
            InputError: The text is not a recipe.
        """
        return cls(*serialize.from_json(text))

    @property
    def as_written(self) -> str:
        """Write what makes it in code, for messages: "recipe" unless it is a preset by its name."""
        name = self.name.partition(":")[0]  # that of "auto" goes on with what it chose, and why
        is_preset = name == "auto" and not any(row.required for row in self.rows)
        if name in PRESETS and not is_preset:
            parameters = keyword_parameters(PRESETS[name]).values()
            complete = all(p.default is not p.empty for p in parameters)
            is_preset = complete and self == Recipe.preset(name)
        return f'relprop.Recipe.preset("{name}")' if is_preset else "recipe"

    @property
    def _fields(self) -> serialize.RecipeFields:
        return serialize.RecipeFields(self.name, self.rows, self.automatic)

    def resolved(self, kinds: Container[Kind], *, has_tokens: bool = False) -> "Recipe":
        """Return the recipe for a model: "auto" chooses a preset, any other stays as it is.

        Args:
            kinds: The kinds of operations that the model has.
            has_tokens: Whether what is explained are token ids, which it looks up in an embedding.
        """
        if not self.automatic:
            return self
        name, why = choose_preset(kinds, has_tokens)
        label = f"{self.name}: {name}, as {why}"
        return Recipe(label, (*self.rows, *Recipe.preset(name).rows))

    def __str__(self) -> str:
        rows = [f"  {row}" for row in self.rows]
        rows += ["  (then the rows of a preset, chosen for the model)"] if self.automatic else []
        return "\n".join([f"recipe {self.name}", *rows])
