"""The XManager launcher, through xmanager's own command: it lives in an environment of its own (docs/tpu.md).

The tests skip where no `xmanager` is on the PATH.
"""

import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[3]
SCRIPT = ROOT / "experiments/launch/xm_launch.py"
XMANAGER = shutil.which("xmanager")
pytestmark = pytest.mark.skipif(not XMANAGER, reason="xmanager is not installed: pip install xmanager==0.8.5")
CLOUD = ("--config=configs/demo.py", "--image=gcr.io/mine/procsup:1", "--workdir=gs://bucket/demo")


@pytest.fixture
def launch(tmp_path):
    """Return how to launch: xmanager's own records stay in the test's folder, as does all that stands for the cloud."""
    (tmp_path / "account.json").write_text(
        json.dumps({"type": "authorized_user", "client_id": "no", "client_secret": "no", "refresh_token": "no"})
    )
    environment = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"),
        "GOOGLE_CLOUD_PROJECT": "mine",
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
    }

    def run(*args):
        command = [XMANAGER, "launch", str(SCRIPT), "--", *args]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)

    return run


def test_a_sweep_on_this_machine_starts_every_run_one_after_the_other(launch, tmp_path):
    procsup = tmp_path / "procsup"
    procsup.write_text(
        f'#!/bin/sh\necho start "$@" >> {tmp_path}/log\nsleep 0.3\necho end >> {tmp_path}/log\n'
        'case "$*" in *seed=1*) exit 2;; esac\n'
    )
    procsup.chmod(0o755)
    sweeps = ("--sweep=config.seed=0,1", "--sweep=config.x=(1, 2),3")
    done = launch("--config=configs/demo.py", f"--procsup={procsup}", *sweeps, "--", "--config.few_shot=2")
    run = "start run --config=configs/demo.py --workdir=runs/demo"
    assert (tmp_path / "log").read_text().splitlines() == [
        f"{run}/seed=0_x=1-2 --config.few_shot=2 --config.seed=0 --config.x=(1, 2)", "end",
        f"{run}/seed=0_x=3 --config.few_shot=2 --config.seed=0 --config.x=3", "end",
        f"{run}/seed=1_x=1-2 --config.few_shot=2 --config.seed=1 --config.x=(1, 2)", "end",
        f"{run}/seed=1_x=3 --config.few_shot=2 --config.seed=1 --config.x=3", "end",
    ], done.stderr  # fmt: skip
    assert done.returncode == 1
    assert "xm_launch: of 4 runs 2 failed: work unit 3, 4; see above" in done.stderr


@pytest.fixture
def cluster(tmp_path):
    """Serve what the launcher needs of Kubernetes, and return what was created there."""
    created = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            created.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(created[-1][1]).encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "users": [{"name": "me", "user": {}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    yield created
    server.shutdown()
    server.server_close()


def test_a_sweep_on_gke_is_a_job_for_each_run_with_a_pod_for_each_host(launch, cluster):
    done = launch(*CLOUD, "--executor=gke", "--tpu=v5e-16", "--spot", "--sweep=config.seed=0,1")
    assert done.returncode == 0, done.stderr
    assert [path.rpartition("/")[2] for path, _ in cluster] == ["services", "jobs"] * 2
    service, job = cluster[0][1], cluster[1][1]
    name = job["metadata"]["name"]
    assert name.startswith("xm-") and name == service["metadata"]["name"]
    assert service["spec"] == {"clusterIP": "None", "selector": {"job-name": name}}
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore", "FailJob"]
    assert (pod["subdomain"], pod["restartPolicy"]) == (name, "Never")
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "4x4",
        "cloud.google.com/gke-spot": "true",
    }
    [container] = pod["containers"]
    assert container["image"] == "gcr.io/mine/procsup:1"
    assert container["resources"]["limits"] == {"google.com/tpu": "4"}
    assert container["volumeMounts"] == [{"mountPath": "/gcs/bucket", "name": "workdir"}]
    assert pod["volumes"][0]["csi"]["volumeAttributes"]["bucketName"] == "bucket"
    run = ["run", "--config=configs/demo.py", "--workdir=/gcs/bucket/demo/seed=0", "--config.seed=0"]
    assert container["args"] == run
    assert cluster[3][1]["spec"]["template"]["spec"]["containers"][0]["args"][-1] == "--config.seed=1"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--executor=vertex", "--tpu=v5e-16"), "xmanager's Vertex executor has v2 and v3 only; use --executor=gke"),
        (("--executor=gke", "--tpu=v3-8"), "GKE has slices of v4 and later"),
        (("--executor=gke",), "--executor=gke needs --tpu, such as --tpu=v5e-16"),
        (("--executor=gke", "--tpu=v5e-16", "--workdir=runs/x"), "it has to be gs://BUCKET/FOLDER"),
        (("--executor=gke", "--tpu=v5e-16", "--config=none.py"), "no configuration file 'none.py'"),
        (("--tpu=v5e-16",), "--executor=local has this machine"),
    ],
)
def test_a_mistake_is_one_clear_line(launch, args, said):
    done = launch(*CLOUD, *args)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert said in done.stderr.splitlines()[-1]


def test_vertex_gets_its_machine(launch, tmp_path):
    code = (
        "import sys; sys.path.insert(0, 'experiments/launch')\n"
        "import tpu_slices, xm_launch\nfrom xmanager import xm, xm_local\nfrom xmanager.cloud import vertex\n"
        "executor = xm_launch.vertex_executor(tpu_slices.parse('v3-8'))\n"
        "executable = xm_local.executables.GoogleContainerRegistryImage('procsup', 'gcr.io/mine/procsup:1')\n"
        "found = vertex.get_machine_spec(xm.Job(executable, executor))\n"
        "print(found['machine_type'], found['accelerator_type'].name, found['accelerator_count'])\n"
    )
    python = pathlib.Path(XMANAGER).with_name("python")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.split() == ["cloud-tpu", "TPU_V3", "8"], done.stderr
