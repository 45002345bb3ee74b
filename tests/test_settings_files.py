"""Configuration files and the flags above them, through the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from adoption import OTHER, WRONG, Project, project_

__all__ = ["project_"]


def test_pyproject_and_own_file(project: Project) -> None:
    project.write(train=WRONG, tags=OTHER)
    assert project.found() == ["tags.py:4 TLL104", "train.py:6 TLL101"]
    project.put("pyproject.toml", '[tool.torchlosslint]\nselect = ["TLL101"]\n')
    assert project.found() == ["train.py:6 TLL101"]
    project.put("torchlosslint.toml", 'select = ["TLL104"]\n')
    assert project.found() == ["tags.py:4 TLL104"]


def test_the_nearest_file_wins_for_each_file(project: Project) -> None:
    project.write(a__train=WRONG, a__deep__train=WRONG, b__train=WRONG, c__train=WRONG)
    project.put("pyproject.toml", '[tool.torchlosslint]\nignore = ["TLL101"]\n')
    project.put("a/pyproject.toml", "[tool.torchlosslint]\n")
    project.put("b/pyproject.toml", "[tool.black]\nline-length = 100\n")  # none of ours: looked past
    assert project.found() == ["a/deep/train.py:6 TLL101", "a/train.py:6 TLL101"]
    assert project.found("a/train.py", "c/train.py") == ["a/train.py:6 TLL101"]


def test_a_file_above_the_working_directory(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(a__train=WRONG)
    project.put("torchlosslint.toml", 'ignore = ["TLL1"]\n')
    monkeypatch.chdir("a")
    assert project.found() == project.found(str(Path.cwd())) == []
    assert project.found("--isolated") == ["train.py:6 TLL101"]


def test_extend(project: Project) -> None:
    project.write(train=WRONG, tags=OTHER)
    project.put("base.toml", 'ignore = ["TLL101"]\nextend-select = ["TLL401"]\n[severity]\nTLL104 = "note"\n')
    project.put("torchlosslint.toml", 'extend = "base.toml"\n[severity]\nTLL401 = "note"\n')
    outcome = project.json()
    assert outcome.found == ["tags.py:4 TLL104", "train.py:6 TLL401"]
    assert outcome.status == 0
    project.put("torchlosslint.toml", 'extend = "base.toml"\nignore = []\n')
    assert "train.py:6 TLL101" in project.found()


def test_what_extends_itself_or_nothing(project: Project) -> None:
    project.write(train=WRONG)
    project.put("torchlosslint.toml", '\nextend = "b.toml"\n')
    project.put("b.toml", 'extend = "torchlosslint.toml"\n')
    assert "b.toml:1: extends itself, by way of torchlosslint.toml" in project.fails()
    Path("b.toml").unlink()
    assert "torchlosslint.toml:2: extends 'b.toml', and there is no such file" in project.fails()


def test_flags_stand_above_files(project: Project) -> None:
    project.write(train=WRONG, tags=OTHER)
    project.put(
        "torchlosslint.toml", 'select = ["TLL101", "TLL104"]\nignore = ["TLL104"]\nfail-on = "error"\n'
    )
    assert project.found() == ["train.py:6 TLL101"]
    assert project.found("--select", "TLL104") == ["tags.py:4 TLL104"]
    assert project.found("--ignore", "TLL1") == []
    assert project.found("--config", "ignore=[]") == ["train.py:6 TLL101"]  # ignores nothing more
    assert project.found("--config", 'select = ["TLL104"]') == ["tags.py:4 TLL104"]
    assert project.found("--config", "select=TLL104", "--select", "TLL101") == ["train.py:6 TLL101"]
    assert project.found("--isolated") == ["tags.py:4 TLL104", "train.py:6 TLL101"]


def test_config_takes_keys_of_tables(project: Project) -> None:
    project.write(train=WRONG)
    for text in ("severity.TLL101=note", 'severity."TLL101"="note"', "severity={TLL101='note'}"):
        assert project.json("--config", text).status == 0
    assert project.json("--config", "severity.TLL101=warning", "--config", "fail-on=error").status == 0
    assert project.json("--config", "severity.TLL101=warning", "--fail-on", "warning").status == 1


def test_severities_and_fail_on(project: Project) -> None:
    project.write(train=WRONG, tags=OTHER)
    project.put("torchlosslint.toml", '[severity]\nTLL1 = "note"\nsoftmax-before-cross-entropy = "warning"\n')
    outcome = project.json()
    assert [(f["code"], f["severity"]) for f in outcome.findings] == [
        ("TLL104", "note"),
        ("TLL101", "warning"),
    ]
    assert outcome.status == 1
    assert project.json("--fail-on", "error").status == 0


def test_fail_on_is_a_matter_of_each_file(project: Project) -> None:
    project.write(a__train=WRONG, b__train=WRONG)
    project.put("torchlosslint.toml", '[severity]\nTLL101 = "warning"\n')
    project.put("a/torchlosslint.toml", 'extend = "../torchlosslint.toml"\nfail-on = "error"\n')
    assert project.json("a").status == 0
    assert project.json("b").status == project.json(".").status == 1


def test_per_file_ignores(project: Project) -> None:
    project.write(train=WRONG, old__train=WRONG, old__keep=WRONG)
    project.put(
        "torchlosslint.toml", '[per-file-ignores]\n"old/" = ["TLL3"]\n"old/train.py" = "TLL101,TLL102"\n'
    )
    assert project.found() == ["old/keep.py:6 TLL101", "train.py:6 TLL101"]
    os.chdir("old")
    assert project.found("train.py", "../old/keep.py") == ["../old/keep.py:6 TLL101"]


def test_confidence(project: Project) -> None:
    maybe = "    p = layer(x)\n    if p.sum() > 0:\n        p = F.softmax(p, dim=1)"
    choice = WRONG.replace("    p = F.softmax(layer(x), dim=1)", maybe)
    project.write(train=choice, a__train=choice)
    project.put("a/torchlosslint.toml", 'confidence = "possible"\n')
    assert project.found() == ["a/train.py:8 TLL101"]
    assert project.found("--confidence", "certain") == []
    assert len(project.found("--confidence", "possible")) == 2


def test_exclude(project: Project) -> None:
    project.write(train=WRONG, gen__a=WRONG, gen__b=WRONG, deep__gen__c=WRONG)
    project.put("torchlosslint.toml", 'exclude = ["/gen/*", "!/gen/b.py"]\n')
    assert project.found() == ["deep/gen/c.py:6 TLL101", "gen/b.py:6 TLL101", "train.py:6 TLL101"]
    assert project.found("gen/a.py") == ["gen/a.py:6 TLL101"]
    assert project.found("--force-exclude", "gen/a.py") == []
    assert "gen/a.py: excluded by the configuration" in project.run("--verbose").out
    project.put("torchlosslint.toml", 'exclude = ["gen/"]\n')
    assert project.found() == ["train.py:6 TLL101"]


def test_findings_in_excluded_files_that_are_imported(project: Project) -> None:
    project.write(
        lib__losses=WRONG, train="from lib.losses import step\nimport torch\nloss = step\nloss_fn = 1\n"
    )
    assert project.found("train.py") == ["lib/losses.py:6 TLL101"]
    project.put("torchlosslint.toml", 'exclude = ["lib/"]\n')
    assert project.found("train.py") == project.found() == []


def test_gitignore_counts_inside_a_repository(project: Project) -> None:
    project.write(train=WRONG, out__a=WRONG, sub__b=WRONG, sub__c=WRONG)
    project.put(".gitignore", "out/\nsub/*.py\n")
    project.put("sub/.gitignore", "!c.py\n")
    assert len(project.found()) == 4
    Path(".git").mkdir()
    assert project.found() == ["sub/c.py:6 TLL101", "train.py:6 TLL101"]
    assert project.found("out") == ["out/a.py:6 TLL101"]  # what is named is linted
    assert len(project.found("--config", "respect-gitignore=false")) == 4
    assert "out: ignored by git" in project.run("--verbose").out


def test_import_roots(project: Project) -> None:
    project.put("code/lib/net.py", WRONG.replace("def step", "def wrong"))
    project.write(
        tools__train="from net import wrong\nimport torch\nwrong(torch.ones(2, 4), torch.ones(2).long())\n"
    )
    assert project.found("tools/train.py") == []
    project.put("torchlosslint.toml", 'src = ["code/lib"]\n')
    assert project.found("tools/train.py") == ["code/lib/net.py:6 TLL101"]
    assert project.found(str(Path("tools").resolve())) == [f"{Path('code/lib/net.py').resolve()}:6 TLL101"]


def test_the_folder_of_the_configuration_is_an_import_root(project: Project) -> None:
    project.put("code/pkg/__init__.py", "")
    project.put("code/pkg/net.py", WRONG)
    project.write(code__tools__train="from pkg.net import step\nimport torch\nstep(torch.ones(2, 4), 1)\n")
    assert project.found("code/tools/train.py") == []
    project.put("code/torchlosslint.toml", "")
    assert project.found("code/tools/train.py") == ["code/pkg/net.py:6 TLL101"]


def test_each_folder_has_import_roots_of_its_own(project: Project) -> None:
    user = "from helper import step\nimport torch\nstep(torch.ones(2, 4), 1)\n"
    for name, text in (("a", WRONG), ("b", OTHER)):
        project.put(f"{name}/lib/helper.py", text)
        project.put(f"{name}/run/train.py", user)
        project.put(f"{name}/torchlosslint.toml", 'src = ["lib"]\n')
    assert project.found("a/run", "b/run") == ["a/lib/helper.py:6 TLL101", "b/lib/helper.py:4 TLL104"]
    assert project.found(".") == ["a/lib/helper.py:6 TLL101", "b/lib/helper.py:4 TLL104"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\nselct = []\n", "unknown key 'x'"),
        ("\n\nselct = []\n", "torchlosslint.toml:3: unknown key 'selct'; did you mean select?"),
        (
            '\nselect = [\n  "TLL101",\n  "TLL1O4",\n]\n',
            ":4: unknown selector 'TLL1O4'; did you mean TLL104?",
        ),
        ("[per-file-ignores]\n'a.py' = ['TLL1O1']\n", ":2: unknown selector 'TLL1O1'; did you mean TLL101?"),
        ("[severity]\nTLL101 = 'warn'\n", ":2: severity.TLL101 cannot be 'warn'; did you mean warning?"),
        ("[severity]\nTLL9 = 'note'\n", ":2: unknown selector 'TLL9'"),
        ("confidence = 'sure'\n", ":1: confidence cannot be 'sure'; it is one of possible, likely, certain"),
        ("fail-on = 'errors'\n", "did you mean error?"),
        ("exclude = 'a'\n", ":1: exclude is a list of strings, not 'a'"),
        ("exclude = [1]\n", ":1: exclude has something else than strings in it: 1"),
        ("select = 3\n", "select is a list of rules"),
        ("respect-gitignore = 'no'\n", "respect-gitignore is true or false, not 'no'"),
        ("torch = 2.4\n", 'torch is a version in quotes, such as "2.4"'),
        ("torch = 'new'\n", "torch is a version"),
        ("losses = 1\n", "losses is a table"),
        ("[losses.pkg.Focal]\ninput = 'logits'\n", "'pkg' is no dotted name; write"),
        ("[losses.'pkg.Focal']\n", "losses.\"pkg.Focal\" does not say 'input'"),
        (
            "\n[losses.'pkg.Focal']\ninput = 'logit'\n",
            ":3: losses.\"pkg.Focal\".input cannot be 'logit'; did you mean",
        ),
        ("[losses.'pkg.Focal']\ninput = 'logits'\nargs = []\n", ":3: unknown key 'args'"),
        (
            "[losses.'p.F']\ninput = 'logits'\narguments = ['a']\nargument = 'z'\n",
            ":4: 'z' is none of the arguments",
        ),
        (
            "[losses.'p.F']\ninput = 'logits'\nswitches = {from_logits = false}\n",
            ':3: losses."p.F".switches is a list of tables such as {when = {from_logits = false}, input = ',
        ),
        (
            "[losses.'p.F']\ninput = 'logits'\nswitches = [\n  {when = {raw = true}, input = 'any'},\n"
            "  {when = {raw = false}, input = 'probs'},\n]\n",
            ":5: losses.\"p.F\".switches.input cannot be 'probs'; it is one of",
        ),
        (
            "[losses.'p.F']\ninput = 'any'\n[[losses.'p.F'.switches]]\nwhen = {}\n",
            ":3: an entry of losses.\"p.F\".switches does not say 'input': write {when",
        ),
        (
            "[losses.'p.F']\ninput = 'any'\n[[losses.'p.F'.switches]]\nwhen.a = 1\ninput = 'any'\n"
            "[[losses.'p.F'.switches]]\ninput = 'any'\nwhen.a = []\n",
            ':8: losses."p.F".switches.when.a is true, false, a number or a string, not []',
        ),
        (
            "[losses.'p.F']\ninput = 'any'\n[[losses.'p.F'.switches]]\nwen.a = 1\ninput = 'any'\n",
            ":4: unknown key 'wen'; did you mean when?",
        ),
        (
            "[losses.'p.F']\ninput = 'any'\nswitches = [{when = {a-b = 1}, input = 'any'}]\n",
            ":3: 'a-b' is no name of a parameter",
        ),
        ("[models.'pkg.build']\noutput = 'probs'\n", "cannot be 'probs'"),
        ("[models.'pkg.build']\noutput = 'logits'\ndim = 'x'\n", "dim is a whole number"),
        (
            "[tool.torchlosslint]\nselect = []\n",
            ":1: here the keys stand alone, without [tool.torchlosslint]",
        ),
        ("extend = 3\n", "extend is a string"),
        ("select = [\n", "torchlosslint.toml: no valid TOML: "),
        ("src = ['a']\nselect = = 1\n", "torchlosslint.toml:2: no valid TOML: Invalid value\n"),
        (b"# \xff\n", "torchlosslint.toml:1: no valid TOML: not UTF-8"),
    ],
)
def test_mistakes_name_file_line_and_the_right_name(
    project: Project, text: str | bytes, message: str
) -> None:
    project.write(train=WRONG)
    project.put("torchlosslint.toml", text)
    assert message in project.fails()


def test_mistakes_in_pyproject(project: Project) -> None:
    project.write(train=WRONG, a__train=WRONG)
    project.put("a/pyproject.toml", '[project]\nname = "x"\n\n[tool.torchlosslint]\n# rules\nselekt = []\n')
    assert "a/pyproject.toml:6: unknown key 'selekt'; did you mean select?" in project.fails()
    project.put("a/pyproject.toml", "[tool.torchlosslint\n")
    assert "a/pyproject.toml:1: no valid TOML: Expected" in project.fails()
    project.put("a/pyproject.toml", "[project\n")  # broken, but nothing of ours is in it
    assert len(project.found()) == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--config", "select"], "write --config KEY=VALUE"),
        (["--config", "selct=ALL"], "--config selct=ALL: unknown key 'selct'; did you mean select?"),
        (["--config", "select=TLL1O1"], "did you mean TLL101?"),
        (["--config", 'losses."p.F".arguments=["a"]'], "losses.\"p.F\" does not say 'input'"),
        (["--config", "extend=a.toml"], "only a file can extend another"),
        (["--config", "severity=1", "--config", "severity.TLL101=note"], "severity is a table"),
        (["--show-files", "--show-settings"], "--show-settings and --show-files cannot be had together"),
        (["--write-baseline", "b", "--baseline", "b"], "leave --baseline out"),
        (["--write-baseline", "b", "--add-ignores", "r"], "cannot be had together"),
        (["--add-ignores", " "], "--add-ignores wants a reason"),
        (["--watch", "--add-ignores", "r"], "--watch and --add-ignores cannot be had together"),
        (["--watch", "--write-baseline", "b"], "--watch and --write-baseline cannot be had together"),
        (["--watch", "--show-files"], "--watch and --show-files cannot be had together"),
        (["--select", "TLL104", "--ignore", "TLL1,TLL104"], "no rule is left"),
        ([""], "a PATH is empty; for the working directory say ."),
        (["--fail-on", "note"], "'note' is not one of"),
    ],
)
def test_mistakes_in_flags(project: Project, args: list[str], message: str) -> None:
    project.write(train=WRONG)
    assert message in project.fails(*args)


def test_show_files(project: Project) -> None:
    project.write(a__b=WRONG, a__c="", d="")
    project.put("a/torchlosslint.toml", 'exclude = ["c.py"]\n')
    outcome = project.run("--show-files")
    assert outcome == (0, "a/b.py\nd.py\n", "")
    assert project.run("--show-files", "--isolated").out == "a/b.py\na/c.py\nd.py\n"


def test_show_settings(project: Project) -> None:
    tomllib = pytest.importorskip("tomllib")
    project.write(a__b=WRONG, d=WRONG, e=WRONG)
    text = (
        'select = ["TLL1"]\ntorch = "1.9.1"\nexclude = ["x"]\n[severity]\nTLL101 = "note"\n'
        '[per-file-ignores]\n"t.py" = ["TLL2"]\n[losses."p.Focal"]\ninput = "logits"\n'
        'switches = [{when = {raw = false, mode = "a"}, input = "any"}]\nparameters = ["raw"]\n'
        '[models."p.net"]\noutput = "probabilities"\ndim = 1\n'
    )
    project.put("a/torchlosslint.toml", text)
    outcome = project.run("--show-settings", "--fail-on", "error")
    assert outcome.status == 0
    own, rest = outcome.out.split("# d.py and 1 more\n")
    assert "# a/b.py\n# from a/torchlosslint.toml\n" in own
    assert "# from no configuration file\n" in rest
    shown = tomllib.loads(own)
    assert (shown["select"], shown["torch"], shown["fail-on"]) == (["TLL1"], "1.9", "error")
    assert shown["src"] == ["a", "a/src"]
    assert shown["severity"] == {"TLL101": "note"}
    focal = shown["losses"]["p.Focal"]
    assert (focal["input"], focal["parameters"]) == ("logits", ["raw"])
    assert focal["switches"] == [{"when": {"raw": False, "mode": "a"}, "input": "any"}]
    assert tomllib.loads(rest)["confidence"] == "likely"


def test_what_was_kept_of_a_run_obeys_the_settings_of_the_next(project: Project) -> None:
    project.write(
        train=WRONG, tools__use="from helper import step\nimport torch\nloss = step(torch.ones(2, 4), 1)\n"
    )
    project.put("lib/helper.py", OTHER)
    assert project.found("train.py", "tools") == project.found("train.py", "tools") == ["train.py:6 TLL101"]
    project.put("torchlosslint.toml", 'src = ["lib"]\nselect = ["TLL104"]\n')
    assert project.found("train.py", "tools") == ["lib/helper.py:4 TLL104"]
    project.put("torchlosslint.toml", 'select = ["TLL101"]\n[severity]\nTLL101 = "note"\n')
    assert [f["severity"] for f in project.json("train.py").findings] == ["note"]
    project.put("torchlosslint.toml", 'exclude = ["train.py"]\nforce-exclude = true\n')
    assert project.found("train.py") == []
    Path("torchlosslint.toml").unlink()
    project.write(train=WRONG.replace("(p, y)", "(p, y)  # noqa"))
    assert project.found("train.py") == []
