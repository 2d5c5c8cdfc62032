//! The accounts of a connector at a remote MCP server: the authorization and the connection of each.
//!
//! The sign-in of `loggia auth login` belongs to the URL of the server; it is an account if its record says so, or if the
//! connector has no saved account. Invariant: a connection of a named account uses the credential of that account alone.

use std::sync::Arc;

use loggia::Error;
use loggia::client::{Client, ClientBuilder};
use loggia_auth::client::{OAuth, OAuthBuilder};
use loggia_auth::error::AuthError;
use loggia_auth::registration::ClientIdentity;
use loggia_auth::restricted_http::is_local;
use loggia_auth::store::FileStore;
use loggia_connect::config_file::Remote;
use loggia_connect::secret::Secret;
use loggia_hub::{AccountClients, Opened};

use crate::account_record::{account_key, is_server_credential, oauth_credential};
use crate::connection::prepared;
use crate::credentials::Credentials;
use crate::server_url::server_url;

/// An account at a remote server, with the values of its credential filled in.
#[derive(Clone)]
pub(crate) struct ServerAccount {
    /// `None` for the credential of the server's URL, or one in the configuration.
    pub(crate) name: Option<String>,
    pub(crate) remote: Remote<Secret>,
}

/// The source of a connection's credential.
enum ServerAuthorization {
    /// The configuration, or a key that is sent already.
    None,
    /// The sign-in of the server's URL.
    Server,
    /// The sign-in of the account.
    Account(Box<OAuth>),
}

/// Opens the accounts of a connector; the default is the first, and there is at least one. The others are connected to when a
/// call names them.
pub(crate) async fn open_accounts(
    connector: &str,
    mut accounts: Vec<ServerAccount>,
    client: ClientBuilder,
    credentials: &Credentials,
) -> loggia::Result<Opened> {
    let default = accounts.remove(0);
    let opened = open_account(connector, &default, client.clone(), credentials).await?;
    if accounts.is_empty() {
        return Ok(Opened::Client(opened));
    }
    let clients = AccountClients::new(default.name.unwrap_or_default(), opened);
    let clients = accounts.into_iter().fold(clients, |clients, account| {
        let (connector, name) = (connector.to_owned(), account.name.clone().unwrap_or_default());
        let (client, credentials) = (client.clone(), credentials.clone());
        clients.account(name, move || {
            let (connector, account) = (connector.clone(), account.clone());
            let (client, credentials) = (client.clone(), credentials.clone());
            Box::pin(async move { open_account(&connector, &account, client, &credentials).await })
        })
    });
    Ok(Opened::Accounts(clients))
}

async fn open_account(
    connector: &str,
    account: &ServerAccount,
    client: ClientBuilder,
    credentials: &Credentials,
) -> loggia::Result<Client> {
    let url = account.remote.url.expose();
    let client = prepared(&account.remote, client)?;
    let authorization = authorization(connector, account, credentials).await?;
    let next = match (&authorization, &account.name) {
        (ServerAuthorization::Account(_), Some(name)) => {
            format!("`loggia accounts reconnect {connector} --account {name:?}` signs in again")
        }
        _ => format!("`loggia auth login {connector}` signs in"),
    };
    let client = match authorization {
        ServerAuthorization::None => client,
        ServerAuthorization::Server => credentials.authorize(client, url).await?,
        ServerAuthorization::Account(oauth) => client.authorize(*oauth),
    };
    client.connect(url).await.map_err(|error| match error {
        Error::Unauthorized(why) => Error::Unauthorized(format!("{why}; {next}")),
        other => other,
    })
}

async fn authorization(
    connector: &str,
    account: &ServerAccount,
    credentials: &Credentials,
) -> loggia::Result<ServerAuthorization> {
    let Some(name) = &account.name else {
        // A header of the configuration overrides a saved credential.
        return Ok(match has_authorization(&account.remote) {
            true => ServerAuthorization::None,
            false => ServerAuthorization::Server,
        });
    };
    let record = credentials.account_record(connector, Some(name)).await.map_err(Error::from)?;
    let Some(record) = record else {
        return Err(Error::Unauthorized(format!(
            "the connector {connector} has no account {name:?} any more"
        )));
    };
    if is_server_credential(&record) {
        return Ok(ServerAuthorization::Server);
    }
    if oauth_credential(&record).is_none() {
        return Ok(ServerAuthorization::None);
    }
    let builder = credentials.account_oauth(&account_key(connector, name), account.remote.url.expose());
    let oauth = builder.and_then(OAuthBuilder::build).map_err(Error::from)?;
    Ok(ServerAuthorization::Account(Box::new(oauth)))
}

/// Returns whether the configuration or a key of a remote server fills the header `Authorization`.
pub(crate) fn has_authorization<T>(remote: &Remote<T>) -> bool {
    remote.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"))
}

impl Credentials {
    /// Creates the authorization for the server at `url` whose credential is the record `record`. Clients that were
    /// registered for other accounts are used again.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the URL cannot be a server's, or the store cannot be opened.
    pub(crate) fn account_oauth(&self, record: &str, url: &str) -> Result<OAuthBuilder, AuthError> {
        let url = server_url(url)?;
        let (key, policy) = (url.to_string(), self.policy(is_local(&url)));
        let store = Arc::new(FileStore::open(self.folder()?)?);
        let builder = OAuth::builder(url, ClientIdentity::new("Loggia")).store(store, key).policy(policy);
        Ok(builder.record_name(record))
    }

    /// Returns the name of the default account of a connector; `None` if no account is saved.
    pub(crate) async fn default_account_name(&self, connector: &str) -> Result<Option<String>, AuthError> {
        let accounts = self.accounts(Some(connector)).await?;
        Ok(accounts.into_iter().find(|account| account.is_default).map(|account| account.name))
    }
}
