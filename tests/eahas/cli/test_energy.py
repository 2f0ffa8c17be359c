"""`eahas energy -- COMMAND`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from eahas.cli import main

BUSY = [sys.executable, "-c", "print(sum(i * i for i in range(2_000_000)))"]


def test_a_command_and_its_joules(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["energy", "--device", "cpu", "--", *BUSY]) == 0
    out, err = capfd.readouterr()
    assert out.strip() == str(sum(i * i for i in range(2_000_000)))  # the command's, untouched
    assert "kWh) in " in err
    assert " J of cpu only (" in err
    assert "cpu  " in err


def test_json_has_every_number(capfd: pytest.CaptureFixture[str]) -> None:
    main(["energy", "--device", "cpu", "--json", "--watts-per-core", "20", "--", *BUSY])
    found = json.loads(capfd.readouterr().err)
    assert found["command"] == BUSY
    assert found["energy_j"] > 0
    reading = found["readings"]["cpu"]
    assert reading["source"] in ("estimated", "rapl")
    if reading["source"] == "estimated":
        assert found["energy_j"] == pytest.approx(20 * reading["cpu_time_s"])


def test_the_exit_status_is_the_commands(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["energy", "--device", "cpu", "--", sys.executable, "-c", "raise SystemExit(7)"])
    assert raised.value.code == 7
    assert "the command ended with 7" in capfd.readouterr().err


def test_a_terminated_meter_ends_its_command() -> None:
    """`timeout` and schedulers say SIGTERM; nothing may go on unmetered, or lose its last words."""
    told = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('in order', flush=True)))\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-m", "eahas", "energy", "--device", "cpu", "--"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", told], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as meter:
        assert meter.stdout is not None
        child = int(meter.stdout.readline())
        meter.terminate()
        out, err = meter.communicate(timeout=30)
    assert out.decode().split("\n") == ["in order", ""]
    assert meter.returncode == 143
    assert err.decode().splitlines() == ["eahas: terminated"]
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_repeats_that_failed_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    failing = [sys.executable, "-c", "raise SystemExit(7)"]
    with pytest.raises(SystemExit):
        main(["energy", "--device", "cpu", "--repeat", "3", "--", *failing])
    assert " s (run 1 of 3 failed)" in capfd.readouterr().err


def test_a_signal_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(SystemExit) as raised:
        main(["energy", "--device", "cpu", "--", sys.executable, "-c", killed])
    assert raised.value.code == 128 + 9
    assert "the command ended by signal 9 (Killed)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which command?"),
        (["--"], "which command?"),
        (["--", "no-such-command-anywhere"], "No such file or directory: no-such-command"),
        (["--device", "tpu", "--", "true"], "device must be 'cpu', 'gpus', 'cuda' or 'cuda:N'"),
        (["--repeat", "0", "--", "true"], "allowed are whole numbers from 1"),
        (
            ["--watts-per-core", "-1", "--device", "cpu", "--", "true"],
            "allowed are positive numbers of watts",
        ),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["energy", *arguments]) == 2
    err = capfd.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
