"""HubSpot's contacts into Postgres in plain Python: requests, one bulk upsert and one transaction per page."""

import json

import psycopg2
import requests
from psycopg2.extras import execute_values

import peer

UPSERT = """INSERT INTO contacts (id, data, updated_at) VALUES %s
    ON CONFLICT (id) DO UPDATE SET data = EXCLUDED.data, updated_at = EXCLUDED.updated_at"""


def sync(url, token, store, properties, scratch):
    session = requests.Session()
    session.headers["authorization"] = f"Bearer {token}"
    database = psycopg2.connect(store)
    with database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE contacts (id TEXT PRIMARY KEY, data JSONB NOT NULL, updated_at TIMESTAMPTZ NOT NULL)")
    params = {"limit": 100, "archived": "false", "properties": properties}
    records = 0
    while True:
        response = session.get(f"{url}/crm/v3/objects/contacts", params=params)
        response.raise_for_status()
        page = response.json()
        rows = [(record["id"], json.dumps(record), record["updatedAt"]) for record in page["results"]]
        with database, database.cursor() as cursor:
            execute_values(cursor, UPSERT, rows, page_size=len(rows) or 1)
        records += len(rows)
        after = page.get("paging", {}).get("next", {}).get("after")
        if after is None:
            return records
        params["after"] = after


peer.run(sync)
