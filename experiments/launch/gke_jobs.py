"""Jobs on GKE's TPU slices for xmanager's Kubernetes executor.

xmanager 0.8.5 parses a TPU's topology and then leaves it out of the job: no node is selected, no chip requested, one
pod started. Here the executor's requirements become what GKE wants: a pod for each host of the slice, in an Indexed Job
whose pods find each other through a headless service, on nodes of the topology, with their chips.
https://cloud.google.com/kubernetes-engine/docs/how-to/tpus
"""

from __future__ import annotations

import dataclasses
from typing import Any

from kubernetes import client
from tpu_slices import TpuSlice
from xmanager import xm, xm_flags, xm_local
from xmanager.cloud import kubernetes
from xmanager.xm import utils
from xmanager.xm_local import registry

# What procsup ends with after a user's mistake, which does not get better by trying again.
_MISTAKE = 2
_MAX_RESTARTS = 50
NAMESPACE = "default"


@dataclasses.dataclass(frozen=True)
class Options:
    """What a job needs beyond its requirements: the bucket that is mounted under /gcs, and whether on spot nodes."""

    bucket: str
    spot: bool = False


def executor(tpu: TpuSlice, options: Options) -> xm_local.Kubernetes:
    """Return xmanager's Kubernetes executor for a slice, launching jobs as this module makes them."""
    made = xm_local.Kubernetes(xm.JobRequirements({f"tpu_{tpu.generation}": tpu.topology}))

    async def launch(unit: Any, group: xm.JobGroup) -> list[kubernetes.KubernetesHandle]:
        return _launch(unit.get_full_job_name, group, options)

    # Making an executor registers xmanager's own way of launching; ours takes its place.
    registry.register(xm_local.Kubernetes, launch=launch)
    return made


def _launch(get_full_job_name: Any, group: xm.JobGroup, options: Options) -> list[kubernetes.KubernetesHandle]:
    found = xm.job_operators.collect_jobs_by_filter(group, lambda job: isinstance(job.executor, xm_local.Kubernetes))
    made = [batch_job(job_name(get_full_job_name(job.name)), job, options) for job in found]
    api = kubernetes.client().api_client
    for job in made:
        client.CoreV1Api(api).create_namespaced_service(NAMESPACE, headless_service(job.metadata.name))
        client.BatchV1Api(api).create_namespaced_job(NAMESPACE, job)
    return [kubernetes.KubernetesHandle(jobs=made)]


def job_name(full_name: str) -> str:
    """Return xmanager's name of a job as Kubernetes allows it: services' names begin with a letter."""
    return f"xm-{kubernetes.convert_to_valid_label(full_name)}"


def headless_service(name: str) -> client.V1Service:
    """Return the service through which the pods of the job `name` find each other."""
    spec = client.V1ServiceSpec(cluster_ip="None", selector={"job-name": name})
    return client.V1Service(metadata=client.V1ObjectMeta(name=name), spec=spec)


def batch_job(name: str, job: xm.Job, options: Options) -> client.V1Job:
    """Return an Indexed Job with a pod for each host of the slice that the job's executor asks for."""
    requirements = job.executor.requirements
    tpu = TpuSlice(requirements.accelerator.name.removeprefix("TPU_").lower(), requirements.topology.name)
    metadata = client.V1ObjectMeta(annotations={"gke-gcsfuse/volumes": "true"})
    spec = client.V1JobSpec(
        completion_mode="Indexed",
        completions=tpu.hosts,
        parallelism=tpu.hosts,
        backoff_limit=_MAX_RESTARTS,
        pod_failure_policy=_failure_policy(),
        template=client.V1PodTemplateSpec(metadata=metadata, spec=_pod(name, job, tpu, options)),
    )
    return client.V1Job(api_version="batch/v1", kind="Job", metadata=client.V1ObjectMeta(name=name), spec=spec)


def _pod(name: str, job: xm.Job, tpu: TpuSlice, options: Options) -> client.V1PodSpec:
    selector = {
        "cloud.google.com/gke-tpu-accelerator": tpu.gke_accelerator,
        "cloud.google.com/gke-tpu-topology": tpu.topology,
    } | ({"cloud.google.com/gke-spot": "true"} if options.spot else {})
    csi = client.V1CSIVolumeSource(
        driver="gcsfuse.csi.storage.gke.io",
        volume_attributes={"bucketName": options.bucket, "mountOptions": "implicit-dirs"},
    )
    return client.V1PodSpec(
        restart_policy="Never",
        subdomain=name,
        service_account_name=xm_flags.K8S_SERVICE_ACCOUNT_NAME.value,
        termination_grace_period_seconds=30,
        node_selector=selector,
        tolerations=[client.V1Toleration(key="google.com/tpu", operator="Exists", effect="NoSchedule")],
        containers=[_container(job, tpu, options)],
        volumes=[client.V1Volume(name="workdir", csi=csi)],
    )


def _container(job: xm.Job, tpu: TpuSlice, options: Options) -> client.V1Container:
    chips = {"google.com/tpu": str(tpu.chips_per_host)}
    variables = {**job.executable.env_vars, **job.env_vars}
    return client.V1Container(
        name="procsup",
        image=job.executable.image_path,
        args=xm.merge_args(job.executable.args, job.args).to_list(utils.ARGV_ESCAPER),
        env=[client.V1EnvVar(key, str(value)) for key, value in variables.items()],
        resources=client.V1ResourceRequirements(limits=chips, requests=chips),
        ports=[client.V1ContainerPort(container_port=port) for port in (8471, 8080)],
        volume_mounts=[client.V1VolumeMount(name="workdir", mount_path=f"/gcs/{options.bucket}")],
    )


def _failure_policy() -> client.V1PodFailurePolicy:
    """Return the policy by which a preempted pod starts again at no cost, and a user's mistake ends the job."""
    preempted = client.V1PodFailurePolicyOnPodConditionsPattern(type="DisruptionTarget", status="True")
    mistake = client.V1PodFailurePolicyOnExitCodesRequirement(operator="In", values=[_MISTAKE])
    return client.V1PodFailurePolicy(
        rules=[
            client.V1PodFailurePolicyRule(action="Ignore", on_pod_conditions=[preempted]),
            client.V1PodFailurePolicyRule(action="FailJob", on_exit_codes=mistake),
        ]
    )
