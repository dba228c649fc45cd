//! Credentials: which token belongs to which tenant, until when, and what the token endpoints hand out.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Tenant, content::opaque, locked, schema::Provider};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The tenant with this index.
    Tenant(usize),
    /// It was good for the tenant with this index.
    Expired(usize),
    /// Never issued.
    Unknown,
}

/// What a token endpoint grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Index of the tenant.
    pub tenant: usize,
    /// The new access token.
    pub access: String,
    /// The refresh token to use from now on; `None` for grants that give none.
    pub refresh: Option<String>,
    /// Whether that one is new.
    pub rotated: bool,
}

/// Why a token endpoint refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such client, or its secret is wrong.
    Client,
    /// The refresh token is unknown or was used up.
    Refresh,
    /// The grant type is not offered.
    GrantType,
}

#[derive(Debug, Default)]
struct Book {
    access: HashMap<(Provider, String), (usize, i64)>,
    refresh: HashMap<(Provider, String), usize>,
    issued: Vec<String>,
}

/// All tokens of all providers.
#[derive(Debug)]
pub struct Tokens {
    book: Mutex<Book>,
    issued: AtomicU64,
    rotate: bool,
}

impl Tokens {
    /// Tokens as the tenants start with them: static ones never expire. With `rotate` a refresh token works once
    /// where the provider does that.
    pub fn new(tenants: &[Tenant], rotate: bool) -> Self {
        let mut book = Book::default();
        for (index, tenant) in tenants.iter().enumerate() {
            for provider in Provider::ALL {
                if let Some(token) = provider.api().credential(tenant) {
                    book.access.insert((provider, token), (index, i64::MAX));
                }
                book.refresh.insert((provider, tenant.refresh_token.clone()), index);
            }
        }
        Self { book: Mutex::new(book), issued: AtomicU64::new(0), rotate }
    }

    /// Whose token it is.
    pub fn pass(&self, provider: Provider, token: &str, now: i64) -> Pass {
        match locked(&self.book).access.get(&(provider, token.to_owned())) {
            Some((tenant, expires)) if now < *expires => Pass::Tenant(*tenant),
            Some((tenant, _)) => Pass::Expired(*tenant),
            None => Pass::Unknown,
        }
    }

    /// Ends every access token that the endpoints have issued.
    pub fn expire_all(&self) {
        locked(&self.book)
            .access
            .values_mut()
            .filter(|(_, until)| *until != i64::MAX)
            .for_each(|(_, until)| *until = 0);
    }

    /// Every token that an endpoint has issued.
    pub fn issued(&self) -> Vec<String> {
        locked(&self.book).issued.clone()
    }

    /// The refresh token that works for a tenant now.
    pub fn refresh_token(&self, provider: Provider, tenant: usize) -> Option<String> {
        let book = locked(&self.book);
        book.refresh
            .iter()
            .find(|((of, _), index)| *of == provider && **index == tenant)
            .map(|((_, token), _)| token.clone())
    }

    /// The `refresh_token` grant.
    pub fn refresh(
        &self,
        provider: Provider,
        tenants: &[Tenant],
        form: &std::collections::BTreeMap<String, String>,
        expires: i64,
    ) -> Result<Grant, Refusal> {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let mut book = locked(&self.book);
        let key = (provider, get("refresh_token").to_owned());
        let index = *book.refresh.get(&key).ok_or(Refusal::Refresh)?;
        let owner = tenants.get(index).ok_or(Refusal::Client)?;
        if get("client_id") != owner.client_id || get("client_secret") != owner.client_secret {
            return Err(Refusal::Client);
        }
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let rotated = self.rotate && provider.api().habits().rotates;
        let refresh = if rotated {
            book.refresh.remove(&key);
            let fresh = format!("5Aep861.{}", opaque(&format!("{}/{number}", owner.name)));
            book.refresh.insert((provider, fresh.clone()), index);
            book.issued.push(fresh.clone());
            fresh
        } else {
            key.1
        };
        let access = access(provider, owner, number);
        book.access.insert((provider, access.clone()), (index, expires));
        book.issued.push(access.clone());
        Ok(Grant { tenant: index, access, refresh: Some(refresh), rotated })
    }

    /// The `client_credentials` grant; the host the request went to decides the account (Salesforce).
    pub fn client(
        &self,
        provider: Provider,
        tenants: &[Tenant],
        form: &std::collections::BTreeMap<String, String>,
        expires: i64,
    ) -> Result<Grant, Refusal> {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let known =
            |tenant: &Tenant| tenant.client_id == get("client_id") && tenant.client_secret == get("client_secret");
        let (index, owner) = tenants.iter().enumerate().find(|(_, tenant)| known(tenant)).ok_or(Refusal::Client)?;
        let access = access(provider, owner, self.issued.fetch_add(1, Ordering::Relaxed));
        let mut book = locked(&self.book);
        book.access.insert((provider, access.clone()), (index, expires));
        book.issued.push(access.clone());
        Ok(Grant { tenant: index, access, refresh: None, rotated: false })
    }
}

fn access(provider: Provider, owner: &Tenant, number: u64) -> String {
    let body = opaque(&format!("{}/{number}", owner.name));
    provider.api().issued(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn form(refresh: &str, tenant: &Tenant) -> BTreeMap<String, String> {
        [("client_id", &*tenant.client_id), ("client_secret", &*tenant.client_secret), ("refresh_token", refresh)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn a_rotated_refresh_token_works_once() {
        let tenants = [Tenant::named("a")];
        let tokens = Tokens::new(&tenants, true);
        let use_up = |token: &str| tokens.refresh(Provider::Salesforce, &tenants, &form(token, &tenants[0]), 100);
        let grant = use_up(&tenants[0].refresh_token).unwrap();
        assert!(grant.rotated);
        assert_eq!(use_up(&tenants[0].refresh_token), Err(Refusal::Refresh));
        assert!(use_up(&grant.refresh.unwrap()).is_ok());
    }

    #[test]
    fn an_access_token_expires_but_a_static_one_does_not() {
        let tenants = [Tenant::named("a")];
        let tokens = Tokens::new(&tenants, false);
        let grant =
            tokens.refresh(Provider::HubSpot, &tenants, &form(&tenants[0].refresh_token, &tenants[0]), 100).unwrap();
        assert_eq!(tokens.pass(Provider::HubSpot, &grant.access, 99), Pass::Tenant(0));
        assert_eq!(tokens.pass(Provider::HubSpot, &grant.access, 100), Pass::Expired(0));
        assert_eq!(tokens.pass(Provider::Salesforce, &grant.access, 99), Pass::Unknown);
        tokens.expire_all();
        assert_eq!(tokens.pass(Provider::HubSpot, &grant.access, 1), Pass::Expired(0));
        assert_eq!(tokens.pass(Provider::HubSpot, &tenants[0].hubspot_token, i64::MAX - 1), Pass::Tenant(0));
    }

    #[test]
    fn a_wrong_secret_is_refused() {
        let tenants = [Tenant::named("a"), Tenant::named("b")];
        let tokens = Tokens::new(&tenants, false);
        let mixed = form(&tenants[0].refresh_token, &tenants[1]);
        assert_eq!(tokens.refresh(Provider::Salesforce, &tenants, &mixed, 1), Err(Refusal::Client));
    }
}
