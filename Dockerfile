# An image whose command is `procsup`: for TPUs as it stands, for GPUs with --build-arg EXTRAS=[gpu], for CPUs with EXTRAS=.
#
#   docker build -t procsup .
#   docker run procsup run --config=configs/demo.py --workdir=/runs/demo
FROM python:3.12-slim

WORKDIR /procsup
ENV PYTHONUNBUFFERED=1 \
    GLIBC_TUNABLES=glibc.malloc.hugetlb=1

# The locked libraries first: a change of the code alone does not install them again.
COPY requirements/run.lock requirements/run.lock
RUN pip install --no-cache-dir -r requirements/run.lock

ARG EXTRAS=[tpu]
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY procsup_jax procsup_jax
RUN pip install --no-cache-dir -c requirements/run.lock ".${EXTRAS}"

COPY configs configs

ENTRYPOINT ["procsup"]
