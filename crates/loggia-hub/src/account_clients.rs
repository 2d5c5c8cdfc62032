//! The clients of a connector with several accounts, which the program gives to the hub. They are separate from the
//! connections that the hub makes of them, because a connector's description names only the clients.

use loggia::Result;
use loggia::client::Client;
use loggia::service::BoxFuture;

/// Connects to an account.
pub(crate) type OpenAccount = Box<dyn Fn() -> BoxFuture<'static, Result<Client>> + Send + Sync>;

/// The clients of a connector with several accounts ([`Connector::accounts`](crate::Connector::accounts)).
pub struct AccountClients {
    /// The name of the default account.
    pub(crate) name: String,
    pub(crate) default: Client,
    pub(crate) others: Vec<(String, OpenAccount)>,
}

impl AccountClients {
    /// Creates it with the name and the client of the default account.
    pub fn new(name: impl Into<String>, default: Client) -> AccountClients {
        AccountClients { name: name.into(), default, others: Vec::new() }
    }

    /// Returns the client of the default account, for a use without a hub.
    pub fn into_default(self) -> Client {
        self.default
    }

    /// Adds an account. `open` connects when a call names the account; a text of [`Error::Unauthorized`](loggia::Error::Unauthorized) is shown to the
    /// caller, so it should say how to sign in again.
    pub fn account(
        mut self,
        name: impl Into<String>,
        open: impl Fn() -> BoxFuture<'static, Result<Client>> + Send + Sync + 'static,
    ) -> AccountClients {
        self.others.push((name.into(), Box::new(open)));
        self
    }
}
