"""HubSpot's contacts into Postgres with dlt, as its documentation shows it: `rest_api`, upserted by the records' id."""

import os

# The server asks for none, dlt does.
os.environ["CREDENTIALS__PASSWORD"] = "none"

import dlt
from dlt.sources.rest_api import rest_api_source

import peer


def sync(url, token, store, properties, scratch):
    contacts = {
        "name": "contacts",
        "primary_key": "id",
        "write_disposition": {"disposition": "merge", "strategy": "upsert"},
        # Records stay whole, as they do with the others: no tables below, no columns for what is inside.
        "max_table_nesting": 0,
        "columns": {"properties": {"data_type": "json"}},
        "endpoint": {
            "path": "crm/v3/objects/contacts",
            "params": {"limit": 100, "archived": "false", "properties": properties},
            "data_selector": "results",
            "paginator": {"type": "cursor", "cursor_path": "paging.next.after", "cursor_param": "after"},
        },
    }
    source = rest_api_source(
        {"client": {"base_url": url, "auth": {"type": "bearer", "token": token}}, "resources": [contacts]},
        name="hubspot",
    )
    pipeline = dlt.pipeline(
        "peer", pipelines_dir=scratch, destination=dlt.destinations.postgres(store), dataset_name="peer"
    )
    pipeline.run(source)
    return pipeline.last_trace.last_normalize_info.row_counts["contacts"]


peer.run(sync)
