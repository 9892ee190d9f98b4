"""The fixtures, and the examples of the README, with the package installed."""

import pathlib
import re

README = pathlib.Path(__file__).parent.parent / "README.md"


def test_the_examples_of_the_readme_pass(pytester):
    [tests] = [block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "def test_" in block]
    pytester.makepyfile(tests)
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(passed=len(re.findall(r"^def test_", tests, re.M)))
    done.stdout.fnmatch_lines(["pseudotape [0-9]*"])


def test_the_other_example_of_the_readme_works(tmp_path, monkeypatch, capsys):
    [example] = [block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "def test_" not in block]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert re.fullmatch(r"/.*/npmtm0 \{.*'object': 0\}\n", capsys.readouterr().out)


def test_the_nearest_mark_wins(pytester):
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.tape(capacity="1M", personality="lto5", label="of the module")

        @pytest.mark.tape(label="of the test", worm=True)
        def test_it(tape_drive, cartridge):
            status = tape_drive.status()
            assert status["personality"] == "lto5"
            assert status["medium"]["worm"] is True
            assert status["medium"]["label"] == "of the test"
            assert status["capacity"]["total_bytes"] == 1 << 20
        """
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)


def test_errors_of_the_fixtures_say_what_to_do(pytester):
    pytester.makepyfile(
        """
        import os, pytest

        @pytest.mark.tape("1M")
        def test_positional(cartridge): pass

        @pytest.mark.tape(personality="lto5")
        def test_option_of_a_mirror(tape_mirror): pass

        @pytest.mark.tape(capacty="1M")
        def test_misspelt(tape_drive): pass

        def test_left_open(tape_drive):
            os.write(os.open(tape_drive.path, os.O_WRONLY), b"block")
        """
    )
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(errors=4, passed=1)
    done.stdout.fnmatch_lines_random(
        [
            "*takes options by name, as capacity='1M'*",
            "*a tape_mirror has no option personality*",
            "*--capacty*",
            "*a program still had the drive open*",
        ]
    )


def test_programs_that_are_not_there_are_an_error_and_no_skip(pytester, monkeypatch):
    monkeypatch.setenv("PSEUDOTAPE_BIN", str(pytester.path))
    pytester.makepyfile("def test_it(tape_drive): pass")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["pseudotape: there is no program pseudotape*"])
