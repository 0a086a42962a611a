import re
import subprocess
import sys


def test_command_prints_a_value_or_a_dash_for_each_line(tmp_path):
    path = tmp_path / "expressions.txt"
    path.write_text("48/2\n1/3\n\n2*(3+4)\n5=5\n")
    command = [sys.executable, "-m", "procsup_jax.decode.calculator"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["24", "-", "-", "14", "-"]
    missing = subprocess.run([*command, str(tmp_path / "absent")], capture_output=True, text=True)
    assert missing.returncode == 2
    assert re.fullmatch(r".*absent: No such file.*\n", missing.stderr)
