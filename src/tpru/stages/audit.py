"""A sample of the items -> ``index.html``, a page on which people answer them, and ``key.json``.

python -m tpru.stages.audit experiment=demo

Nothing depends on it; it runs when it is asked for. ``tpru.reporting.audit_agreement`` compares the answers.
"""

from tpru.config.schema import AuditConfig
from tpru.errors import EmptySourceError
from tpru.files import write_json, write_text
from tpru.reporting.audit import audit_key, audit_page, stratified
from tpru.run import Run, say, stage
from tpru.stages.inputs import item_frames, items_of


@stage("audit")
def main(run: Run) -> None:
    config = AuditConfig(**run.config["audit"])
    items = stratified(items_of(run, *config.splits), config.items, run.seed)
    if not items:
        raise EmptySourceError(f"no item in the splits {list(config.splits)}: change audit.splits")
    key = audit_key(run.name, items)
    write_json(run.output("key.json"), key)
    page = audit_page(run.name, items, item_frames(run), config, key["fingerprint"])
    write_text(run.output("index.html"), page)
    run.metrics = {"items": len(items)}
    say(f"{len(items)} items; open {run.folder / 'index.html'} in a browser")


if __name__ == "__main__":
    main()
