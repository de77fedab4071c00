# The resolved config of every unit, frozen before the unit runs. Its leaves are the only parameter, so a
# comment, the order of keys or another group's value reruns nothing.


rule freeze:
    output:
        PLAN.path("{unit}/config.yaml"),
    params:
        leaves=PLAN.leaves,
    log:
        PLAN.path("logs/freeze/{unit}.log"),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=500,
    run:
        PLAN.freeze(wildcards.unit, output[0])
