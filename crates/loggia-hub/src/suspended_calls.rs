//! Calls of a legacy upstream that wait for a modern client.
//!
//! A legacy server asks during a call and waits. A modern client gets `input_required`, and sends the answers in a
//! new request. Until then the call stays here, under a random address that only its client knows. It can be resumed
//! once, and only by the same caller with the same request. If the client does not return within a bounded time, the
//! call is cancelled at the upstream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loggia::budget::{Budget, Share, ShareExceeded};
use loggia::edge::correlation_id;
use loggia::model::InputRequired;
use loggia::service::{Principal, Request};
use loggia::wire::{ErrorCode, Method, RawJson, RawObject, RpcError};
use ring::digest;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::suspendable_call::SuspendableCall;
use crate::suspended_address::{ReplicaId, SuspendedCallAddress};

/// The number of callers that are counted separately. If there are more, some share one count.
const CALLERS: usize = 64;

/// The caller that may continue a suspended call, and the request that it has to repeat.
#[derive(PartialEq)]
struct CallBinding {
    /// The issuer and the subject. Other facts about a user may change between two requests.
    principal: Option<(Option<String>, String)>,
    method: Method,
    /// The digest of the params, without the members that differ between rounds.
    digest: [u8; 32],
}

/// One suspended call, and the task that keeps it.
struct SuspendedCall<T> {
    binding: CallBinding,
    wake: oneshot::Sender<()>,
    keeper: JoinHandle<Option<SuspendableCall<T>>>,
    _share: Option<Share>,
}

type SuspendedCallTable<T> = Arc<Mutex<HashMap<SuspendedCallAddress, SuspendedCall<T>>>>;

/// The suspended calls of one upstream.
pub(crate) struct SuspendedCalls<T> {
    replica: ReplicaId,
    table: SuspendedCallTable<T>,
    most: usize,
    /// The share of each caller of `most` calls.
    callers: Arc<Budget>,
    stay: Duration,
}

impl<T: Send + 'static> SuspendedCalls<T> {
    /// Creates room for `most` calls of this replica, each for at most `stay`.
    pub(crate) fn new(replica: ReplicaId, most: usize, stay: Duration) -> SuspendedCalls<T> {
        SuspendedCalls {
            replica,
            table: SuspendedCallTable::default(),
            most,
            callers: Budget::new(most, CALLERS),
            stay,
        }
    }

    /// Suspends `running`, which has asked a question, and returns the questions for its client.
    pub(crate) fn suspend(
        &self,
        running: SuspendableCall<T>,
        request: &Request,
    ) -> Result<InputRequired, RpcError> {
        let binding = CallBinding::of(request)?;
        let address = self.new_address()?;
        let asked = InputRequired {
            input_requests: Some(running.requests()),
            request_state: Some(address.to_string()),
            ..InputRequired::default()
        };
        let share = self.share_of(request)?;
        let mut table = lock(&self.table);
        if table.len() >= self.most {
            return Err(RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                "Too many calls wait for an answer of their clients: try again later",
            ));
        }
        let (wake, woken) = oneshot::channel();
        let keeper = tokio::spawn(keep(running, woken, self.stay, self.table.clone(), address));
        table.insert(address, SuspendedCall { binding, wake, keeper, _share: share });
        Ok(asked)
    }

    fn new_address(&self) -> Result<SuspendedCallAddress, RpcError> {
        SuspendedCallAddress::random(self.replica).map_err(|_| {
            let reference = correlation_id();
            tracing::error!(
                reference,
                "a call cannot be suspended: the operating system gives no randomness"
            );
            RpcError::internal(&reference)
        })
    }

    fn share_of(&self, request: &Request) -> Result<Option<Share>, RpcError> {
        let Some(principal) = request.principal.as_deref() else { return Ok(None) };
        let share = self.callers.take(self.callers.caller(principal), 1);
        share.map(Some).map_err(|ShareExceeded { held, total }| {
            RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                format!(
                    "{held} of your calls wait for an answer of their clients, which is your share of the {total} that \
                     may wait at once: answer some of them, or try again later"
                ),
            )
        })
    }

    /// Returns the suspended call for which `request` contains answers; `None` if it is a new request.
    pub(crate) async fn resume(&self, request: &Request) -> Result<Option<SuspendableCall<T>>, RpcError> {
        let Some(address) = address_of(request)? else { return Ok(None) };
        if address.replica() != self.replica {
            return Err(other_replica(address.replica(), self.replica));
        }
        let responses = responses_of(request)?;
        let entry = self.take(&address, request)?;
        drop(entry.wake);
        let running = entry.keeper.await.ok().flatten();
        let mut running = running.ok_or_else(expired)?;
        let empty = RawJson::empty_object();
        let members = RawObject::of(responses.as_ref().unwrap_or(&empty));
        running.answer(&members.map_err(|_| RpcError::invalid_params("inputResponses must be an object"))?);
        Ok(Some(running))
    }

    fn take(&self, address: &SuspendedCallAddress, request: &Request) -> Result<SuspendedCall<T>, RpcError> {
        let binding = CallBinding::of(request)?;
        let mut table = lock(&self.table);
        match table.get(address) {
            // If the address comes with another request, the call stays suspended, and the caller learns nothing
            // about it.
            Some(entry) if entry.binding == binding => table.remove(address).ok_or_else(expired),
            Some(_) => Err(RpcError::invalid_params("This requestState belongs to another request")),
            None => Err(expired()),
        }
    }
}

impl<T> SuspendedCalls<T> {
    /// Cancels all calls, also at the upstream.
    pub(crate) fn cancel_all(&self) {
        for (_, entry) in lock(&self.table).drain() {
            entry.keeper.abort();
        }
    }
}

/// Cancels the calls, because no request can reach them any more.
impl<T> Drop for SuspendedCalls<T> {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

/// Keeps a suspended call until it is resumed. After `stay` it is dropped, which cancels it at the upstream.
async fn keep<T: Send + 'static>(
    mut running: SuspendableCall<T>,
    woken: oneshot::Receiver<()>,
    stay: Duration,
    table: SuspendedCallTable<T>,
    address: SuspendedCallAddress,
) -> Option<SuspendableCall<T>> {
    tokio::select! {
        biased;
        _ = woken => return Some(running),
        () = tokio::time::sleep(stay) => {}
        () = running.idle() => {}
    }
    lock(&table).remove(&address);
    tracing::info!("a call was cancelled: its client never came back with the answer to a question");
    None
}

fn lock<T>(table: &SuspendedCallTable<T>) -> MutexGuard<'_, HashMap<SuspendedCallAddress, SuspendedCall<T>>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn expired() -> RpcError {
    RpcError::invalid_params(
        "The question that this answers is no longer open: it was answered already, its time ran out, or the server \
         was restarted. Make the call again without requestState",
    )
}

fn other_replica(owner: ReplicaId, this: ReplicaId) -> RpcError {
    RpcError::invalid_params(format!(
        "This requestState belongs to replica {owner} of this server, and this is replica {this}: the request reached \
         another replica, or the server was restarted. Make the call again without requestState"
    ))
}

/// Returns the address in a request.
fn address_of(request: &Request) -> Result<Option<SuspendedCallAddress>, RpcError> {
    if request.params.routing().is_some_and(|routing| !routing.again) {
        return Ok(None);
    }
    let members = read(&request.params)?;
    if members.raw("requestState").is_none() {
        return Ok(None);
    }
    let address = members.string("requestState").and_then(|state| state.parse().ok());
    let foreign = || RpcError::invalid_params("This requestState was not given by this server");
    address.map(Some).ok_or_else(foreign)
}

fn responses_of(request: &Request) -> Result<Option<RawJson>, RpcError> {
    Ok(read(&request.params)?.value("inputResponses"))
}

fn read(params: &RawJson) -> Result<RawObject<'_>, RpcError> {
    RawObject::of(params).map_err(|error| RpcError::invalid_params(format!("Invalid params: {error}")))
}

impl CallBinding {
    fn of(request: &Request) -> Result<CallBinding, RpcError> {
        // The order of members is normalized, because a client may write the same request in another order.
        let mut params: Value = request
            .params
            .decode()
            .map_err(|error| RpcError::invalid_params(format!("Invalid params: {error}")))?;
        if let Some(members) = params.as_object_mut() {
            ["_meta", "inputResponses", "requestState"].iter().for_each(|name| drop(members.remove(*name)));
        }
        params.sort_all_objects();
        let digest = digest::digest(&digest::SHA256, params.to_string().as_bytes());
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(digest.as_ref());
        let person = |principal: &Arc<Principal>| (principal.issuer.clone(), principal.subject.clone());
        let principal = request.principal.as_ref().map(person);
        Ok(CallBinding { principal, method: request.method.clone(), digest: bytes })
    }
}
