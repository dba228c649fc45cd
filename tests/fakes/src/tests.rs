//! The fakes through their sockets, as a client meets them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    FakeProviders, Options, Tenant, content,
    dataset::World,
    faults::{Fault, Trouble},
    schema::Provider,
    truth::Fate,
};

mod clock;
mod freshdesk;
mod hubspot;
mod intercom;
mod knobs;
mod pipedrive;
mod salesforce;
mod zendesk;

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    /// The body ended before its length.
    cut: bool,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

struct Client<'a> {
    fakes: &'a FakeProviders,
    provider: Provider,
    token: String,
    host: Option<String>,
}

impl Client<'_> {
    async fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        self.send_as(&format!("Bearer {}", self.token), method, path, kind, body).await
    }

    async fn send_as(&self, authorization: &str, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let addr = self.fakes.addr(self.provider).unwrap();
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let host = self.host.clone().unwrap_or_else(|| addr.to_string());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nContent-Type: {kind}\r\n\
             Intercom-Version: 2.14\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A cut connection may end in a reset; what came before it counts.
        let _end = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: BTreeMap<String, String> =
            lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
        let length: usize = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
        Answer { status, headers, cut: body.len() < length, body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "application/json", "").await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", &body.to_string()).await
    }

    async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.send("POST", path, "application/x-www-form-urlencoded", &body).await
    }

    async fn soql(&self, resource: &str, text: &str) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
        self.get(&format!("/services/data/v63.0/{resource}?{query}")).await
    }
}

async fn start(options: Options) -> FakeProviders {
    FakeProviders::start(options).await.unwrap()
}

fn hubspot(fakes: &FakeProviders) -> Client<'_> {
    let token = fakes.tenants()[0].hubspot_token.clone();
    Client { fakes, provider: Provider::HubSpot, token, host: None }
}

/// A client with a session at Salesforce.
async fn salesforce(fakes: &FakeProviders) -> Client<'_> {
    let mut client = Client { fakes, provider: Provider::Salesforce, token: String::new(), host: None };
    client.token =
        login(&client, &fakes.tenants()[0].refresh_token).await.json()["access_token"].as_str().unwrap().into();
    client
}

async fn login(client: &Client<'_>, refresh: &str) -> Answer {
    let tenant = &client.fakes.tenants()[0];
    let pairs = [
        ("grant_type", "refresh_token"),
        ("client_id", &tenant.client_id),
        ("client_secret", &tenant.client_secret),
        ("refresh_token", refresh),
    ];
    client.form("/services/oauth2/token", &pairs).await
}

async fn walk(client: &Client<'_>, path: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{after}")).await.json();
        rows.extend(page["results"].as_array().unwrap().iter().cloned());
        match page.pointer("/paging/next/after") {
            Some(token) => after = format!("&after={}", token.as_str().unwrap()),
            None => return rows,
        }
    }
}

fn ids(rows: &[Value], key: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

fn of(fakes: &FakeProviders, object: &str, wanted: fn(&Fate) -> bool) -> BTreeSet<String> {
    let truth = fakes.truth("a", object).unwrap();
    truth.into_iter().filter(|(_, truth)| wanted(&truth.fate)).map(|(id, _)| id).collect()
}
