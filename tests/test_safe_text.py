"""Text that is not ours cannot drive a terminal, a page or a spreadsheet."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import metalight
from call import call
from metalight.cli.terminal import show
from metalight.safe_text import as_code, as_code_block, for_markdown, for_terminal, guard_formulas, unguard_formulas
from metalight.tables import Table, load_table, save_table

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
FORMULAS = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "'=1", "''@x"]


@given(text=st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = for_terminal(text)
    assert not CONTROLS.search(shown)
    shown.encode()  # nor a lone surrogate, as names of files hold where they are not UTF-8


@given(text=st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_text_that_can_be_shown_stays_as_it_is(text: str) -> None:
    assert for_terminal(text) == text


def test_a_style_covers_the_start_alone_and_the_text_cannot_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    show(" \x1b[2Jtext", start="a\x1b[0m", fg="red")
    assert capsys.readouterr().out == "a\\x1b[0m \\x1b[2Jtext\n"  # no colours where there is no terminal


def test_commands_print_in_one_way_only() -> None:
    root = Path(metalight.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if path.name in {"terminal.py", "interruption.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"print", "typer.echo", "typer.secho", "click.echo"}, f"{path}: {name}"


@given(text=st.text(alphabet=st.sampled_from("ab_*`[]()<>|&#;!\\/: \n\t\x1b~-=+"), max_size=30))
def test_markdown_shows_the_text_itself(text: str) -> None:
    shown = " ".join(for_terminal(text).split())
    for place in ("x {} y", "# x {}", "> x {}"):
        inline = [token for token in MarkdownIt().parse(place.format(for_markdown(text))) if token.type == "inline"]
        kinds = {child.type for token in inline for child in token.children or []}
        assert kinds <= {"text", "text_special"}, kinds
        content = "".join(child.content for token in inline for child in token.children or [])
        assert content.split() == place.strip("#> ").format(shown).split()


@given(text=st.text(alphabet=st.sampled_from("ab`|<\\ \n"), max_size=20))
def test_code_ends_where_its_text_ends(text: str) -> None:
    tokens = MarkdownIt().parse(f"x {as_code(text)} y")
    code = [child for child in tokens[1].children or [] if child.type == "code_inline"]
    shown = " ".join(for_terminal(text).split())
    assert [child.content.replace("\\|", "|") for child in code] == ([shown] if shown else [])


@given(text=st.text(alphabet=st.sampled_from("ab`~ \n"), max_size=20))
def test_a_block_of_code_ends_where_its_text_ends(text: str) -> None:
    tokens = MarkdownIt().parse("\n".join(["before", "", *as_code_block(text), "after"]))
    assert [token.type for token in tokens if token.type == "fence"] == ["fence"]
    assert tokens[-2].content == "after"


def test_names_of_columns_read_as_they_are_in_markdown() -> None:
    assert for_markdown("oh_p50 < 9 & 12 + log10(O/H)") == "oh_p50 < 9 & 12 + log10(O/H)"


PIECES = st.sampled_from(["", "'", "''"]), st.text("=+-@'0123.e\t\rab", max_size=6)


@given(texts=st.lists(st.tuples(*PIECES).map("".join), min_size=1))
def test_guarding_formulas_can_be_undone(texts: list[str]) -> None:
    frame = pd.DataFrame({"text": texts, "number": -1.5})
    guarded = guard_formulas(frame)
    assert unguard_formulas(guarded).equals(frame)
    for text in guarded["text"]:
        assert not re.match(r"[=+\-@\t\r](?![0-9.]+(e[+-]?[0-9]+)?$)", text)


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".vot", ".parquet"])
def test_formulas_come_back_from_a_file_as_they_were(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"=name": FORMULAS, "plain": ["-5", "+1.5e3", "a=b", "", "x", "y", "z"]})
    frame = frame[["=name"]] if suffix == ".vot" else frame
    save_table(Table(frame, {}), tmp_path / f"t{suffix}")
    assert load_table(tmp_path / f"t{suffix}").frame["=name"].tolist() == FORMULAS


def test_a_csv_file_of_ours_has_no_formulas(tmp_path: Path) -> None:
    save_table(Table(pd.DataFrame({"path": FORMULAS, "=x": 1})), tmp_path / "t.csv")
    raw = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    cells = [*raw.columns, *raw["path"]]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]


def test_an_error_shows_what_a_stranger_wrote_without_its_codes(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('"\\u001b[2Jx" = 1\n')
    result = call("recipe", "check", tmp_path / "bad.toml")
    assert result.exit_code == 2
    assert "\x1b" not in result.output
