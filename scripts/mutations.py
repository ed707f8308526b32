"""Small faults that a programmer could make, one at a time, in the source of a module: what `make mutants` runs.

A fault is a node of the syntax tree and what stands in its place: a comparison a step off (`<` for `<=`), a condition
that always holds, `and` for `or`, `min` for `max`, BUY for SELL, a number one off, a term, an argument or a statement
left out, a constant returned.

Left out, since a wrong one there says nothing about a decision: docstrings, annotations, imports, decorators (how a
record is built), asserts (our own mistakes), and words (f-strings, texts with a blank in them, what is raised).
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import CodeType
from typing import Any

from attrs import frozen

_STEP = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_OPPOSITE = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Div,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_TWINS = {"min": "max", "max": "min", "any": "all", "all": "any", "floored": "ceiled", "ceiled": "floored"}
_SIDES = {"BUY": "SELL", "SELL": "BUY"}
_OTHER_NAMES = {"ZERO": "Decimal(1)", "CENT": "Decimal(0)", "ONE": "Decimal(2)"}
_CONSTANTS = {  # what a function may return instead, by the first word of its annotation
    "bool": ("True", "False"), "Decimal": ("Decimal(0)",), "int": ("0",), "str": ("''",), "tuple": ("()",),
    "list": ("[]",), "dict": ("{}",), "Mapping": ("{}",), "frozenset": ("frozenset()",),
}  # fmt: skip
_NOT_ENTERED = (ast.Assert, ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)
_NOT_ENTERED_FIELDS = {"annotation", "returns", "decorator_list"}
_SHOWN = 50  # characters that are shown on either side of a change


@frozen(kw_only=True)
class Spot:
    """A node of the tree, and where it hangs."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None  # in the field, where that is a list
    statement: ast.stmt  # the innermost that it is in
    where: str  # "quote", "Order.rest": the function or class that it is in
    in_body: bool  # of a function: it runs when that is called
    returns: str  # that function's annotation
    bound: frozenset[str]  # the names that have a value already

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


@frozen(kw_only=True)
class Mutant:
    """One fault. `before` and `after` are the line, cut around the change; `code()` is the module that has it."""

    module: str  # "copytrade.domain.quote"
    path: Path
    operator: str
    before: str
    after: str
    nth: int  # of those in the module that read alike, from 1
    tree: ast.Module
    spot: Spot
    replacement: ast.AST

    @property
    def line(self) -> int:
        return getattr(self.spot.node, "lineno", self.spot.statement.lineno)

    @property
    def name(self) -> tuple[str, ...]:
        """What tells it from the others, and stays when lines move."""
        return self.path.name, self.spot.where, self.operator, self.before, self.after, str(self.nth)

    def code(self) -> CodeType:
        """The module with the fault, compiled."""
        self.spot.put(self.replacement)
        code = compile(self.tree, str(self.path), "exec", dont_inherit=True)
        self.spot.put(self.spot.node)
        return code


def mutants_of(path: Path, module: str) -> list[Mutant]:
    """All of them, in the order of the source; the same source gives the same list. What reads alike on a line is given
    once.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: dict[tuple[object, ...], Mutant] = {}
    alike: Counter[tuple[str, ...]] = Counter()
    for spot in list(_spots(tree, None, "", "", set(), in_body=False)):  # as it is before any change
        for operator, replacement in _alternatives(spot):
            ast.fix_missing_locations(ast.copy_location(replacement, spot.node))
            before, after = _shown(spot, replacement)
            mutant = Mutant(
                module=module, path=path, operator=operator, before=before, after=after,
                nth=alike[spot.where, operator, before, after] + 1, tree=tree, spot=spot, replacement=replacement,
            )  # fmt: skip
            place = (mutant.line, spot.where, before, after)
            if before != after and place not in found:
                found[place] = mutant
                alike[spot.where, operator, before, after] += 1
    return list(found.values())


def _spots(
    parent: ast.AST, inside: ast.stmt | None, where: str, returns: str, bound: set[str], *, in_body: bool
) -> Iterator[Spot]:
    """Every node that may be changed, outer ones first."""
    for field, value in ast.iter_fields(parent):
        if field in _NOT_ENTERED_FIELDS:
            continue
        in_body = in_body or (isinstance(parent, ast.FunctionDef) and field == "body")
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or _is_docstring(node) or _is_alias(node, where):
                continue
            statement = node if isinstance(node, ast.stmt) else inside
            assert statement is not None
            yield Spot(
                node=node, parent=parent, field=field, index=index, statement=statement, where=where, returns=returns,
                in_body=in_body, bound=frozenset(bound),
            )  # fmt: skip
            if isinstance(node, _NOT_ENTERED):
                continue
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                name = f"{where}.{node.name}" if where else node.name
                told = ast.unparse(node.returns) if isinstance(node, ast.FunctionDef) and node.returns else ""
                parameters = {arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg)}
                yield from _spots(node, statement, name, told, parameters, in_body=in_body)
            else:
                yield from _spots(node, statement, where, returns, bound, in_body=in_body)
            if isinstance(node, ast.Assign):
                bound |= {target.id for target in node.targets if isinstance(target, ast.Name)}


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_alias(node: ast.AST, where: str) -> bool:
    """`Action = Cancel | Place`: a name for types."""
    return not where and isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp)


def _alternatives(spot: Spot) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in this place instead: (operator, node)."""
    match spot.node:
        case ast.Compare(left, ops, others):
            for place, op in enumerate(ops):
                for operator, table in (("boundary", _STEP), ("comparison", _OPPOSITE)):
                    if type(op) in table:
                        changed = [*ops[:place], table[type(op)](), *ops[place + 1 :]]
                        yield operator, ast.Compare(left, changed, others)
        case ast.BoolOp(op, values):
            yield "and/or", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for rest in _each_left_out(values):
                yield "condition left out", rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield "sign or not left out", operand
        case ast.BinOp(left, op, right):
            if type(op) in _ARITHMETIC:
                yield "arithmetic", ast.BinOp(left, _ARITHMETIC[type(op)](), right)
            yield "term left out", left
            if isinstance(op, ast.Add | ast.Mult | ast.BitOr | ast.BitAnd):
                yield "term left out", right
        case ast.IfExp(_, body, orelse):
            yield "always", body
            yield "never", orelse
        case ast.If(_, body, orelse):
            yield "always", ast.If(ast.Constant(True), body, orelse)
            yield "never", ast.If(ast.Constant(False), body, orelse)
        case ast.For(target, _, body, orelse):
            yield "no round of the loop", ast.For(target, ast.Tuple([], ast.Load()), body, orelse)
        case ast.comprehension(target, iterated, ifs) if ifs:
            for rest in _each_left_out(ifs):
                yield "filter left out", ast.comprehension(target, iterated, rest, 0)
        case ast.Call():
            yield from _calls(spot.node)
        case ast.Constant(value):
            yield from _constants(value)
        case ast.Name(name, ast.Load()) if name in _OTHER_NAMES:
            yield "number", _expression(_OTHER_NAMES[name])
        case ast.Attribute(ast.Name("Side"), side, ctx) if side in _SIDES:
            yield "side", ast.Attribute(ast.Name("Side", ast.Load()), _SIDES[side], ctx)
        case ast.Dict(keys, values) if None in keys:
            pairs = list(zip(keys, values, strict=True))
            for rest in (pairs[::-1], *_each_left_out(pairs)):
                yield "merge of dicts", ast.Dict([key for key, _ in rest], [value for _, value in rest])
        case ast.Tuple(elements, ctx) | ast.List(elements, ctx) if any(
            isinstance(one, ast.Starred) for one in elements
        ):
            for rest in _each_left_out(elements):
                yield "element left out", type(spot.node)(rest, ctx)
        case ast.Slice(lower, upper, step):
            if lower:
                yield "slice", ast.Slice(None, upper, step)
            if upper:
                yield "slice", ast.Slice(lower, None, step)
        case ast.Return(value) if value and ast.unparse(value) != "ZERO":
            for kind in spot.returns.split(" | "):
                for constant in _CONSTANTS.get(kind.split("[")[0], ("None",) if kind == "None" else ()):
                    yield "constant returned", ast.Return(_expression(constant))
        case ast.AugAssign(target, op, value):
            if type(op) in _ARITHMETIC:
                yield "arithmetic", ast.AugAssign(target, _ARITHMETIC[type(op)](), value)
            yield "statement left out", ast.Pass()
        case ast.Assign([ast.Name(name)]) if name in spot.bound:
            yield "statement left out", ast.Pass()
        case (
            ast.Assign([ast.Subscript() | ast.Attribute()])
            | ast.Expr()
            | ast.Continue()
            | ast.Break()
            | ast.Delete()
            | ast.Raise()
        ):
            yield "statement left out", ast.Pass()


def _calls(call: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name in _TWINS:
        yield "twin", ast.Call(ast.Name(_TWINS[name], ast.Load()), call.args, call.keywords)
    if name in ("min", "max") and len(call.args) > 1:
        for rest in _each_left_out(call.args):
            yield "argument left out", rest[0] if len(rest) == 1 else ast.Call(call.func, rest, call.keywords)
    elif name in ("abs", "sorted", "floored", "ceiled"):
        yield "call left out", call.args[0]
    if name == "Decimal" and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
        number = Decimal(call.args[0].value)
        last = Decimal(1).scaleb(int(number.as_tuple().exponent))
        for other in (number + last, number - last):
            yield "number", ast.Call(call.func, [ast.Constant(str(other))], [])
    for rest in _each_left_out(call.keywords):
        yield "argument left out", ast.Call(call.func, call.args, rest)


def _constants(value: object) -> Iterator[tuple[str, ast.AST]]:
    match value:
        case bool():
            yield "number", ast.Constant(not value)
        case int():
            yield "number", ast.Constant(value + 1)
            yield "number", ast.Constant(value - 1)
        case str() if " " not in value and not value.replace(".", "").isdigit():
            yield "text", ast.Constant(value + "!")


def _each_left_out(values: list[Any]) -> list[list[Any]]:
    return [values[:place] + values[place + 1 :] for place in range(len(values))]


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _shown(spot: Spot, replacement: ast.AST) -> tuple[str, str]:
    """The first line that the change alters, before it and after it, cut around the change."""
    holder = spot.parent if spot.node is spot.statement else spot.statement
    before = ast.unparse(holder).splitlines()
    spot.put(replacement)
    after = ast.unparse(holder).splitlines()
    spot.put(spot.node)
    old, new = next(((old, new) for old, new in zip(before, after, strict=False) if old != new), ("", ""))
    old, new = old.strip(), new.strip()
    head = _in_common(old, new)
    tail = min(_in_common(old[::-1], new[::-1]), min(len(old), len(new)) - head)
    return _cut(old, head, len(old) - tail), _cut(new, head, len(new) - tail)


def _in_common(one: str, other: str) -> int:
    """How many characters the two begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _cut(line: str, start: int, end: int) -> str:
    left, right = max(start - _SHOWN, 0), min(end + _SHOWN, len(line))
    return ("…" if left else "") + line[left:right] + ("…" if right < len(line) else "")
