//! What large packets may take over all connections, and what one connection has of it.
//!
//! The first [`FREE_BYTES`] of a connection are free, so that no small statement ever waits. Beyond
//! them a packet takes its part as its bytes arrive, not as its header claims: whoever sends nothing
//! takes nothing from others. Two packets that wait for each other's part do so a bounded time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes that all connections share.
#[derive(Debug)]
pub struct Budget {
    blocks: Arc<Semaphore>,
    /// How long a packet may wait for its part.
    patience: Duration,
}

/// What one connection has of a budget; given back when dropped.
#[derive(Debug)]
pub struct Holding {
    budget: Arc<Budget>,
    blocks: Option<OwnedSemaphorePermit>,
}

/// The other connections hold too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packets of all connections exceed their bound")]
pub struct Crowded;

impl Budget {
    /// A budget of so many bytes. It can always hold one packet of `packet_bytes_max`.
    pub fn new(bytes_max: usize, packet_bytes_max: usize, patience: Duration) -> Arc<Self> {
        let blocks = bytes_max.max(packet_bytes_max).div_ceil(BLOCK_BYTES);
        let blocks = Arc::new(Semaphore::new(blocks.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { blocks, patience })
    }
}

impl Holding {
    /// Nothing of `budget` yet.
    pub const fn new(budget: Arc<Budget>) -> Self {
        Self { budget, blocks: None }
    }

    /// Holds what so many bytes take, if that is more than before; waits for it a bounded time.
    /// Cancel-safe.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), Crowded> {
        let missing = blocks(bytes).saturating_sub(self.held());
        if missing == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.budget.blocks).acquire_many_owned(missing);
        match tokio::time::timeout(self.budget.patience, more).await {
            Ok(Ok(more)) => {
                self.add(more);
                Ok(())
            }
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => Err(Crowded),
        }
    }

    /// Holds what so many bytes take, no more; as before if that is more than there is now.
    pub fn try_hold(&mut self, bytes: usize) -> Result<(), Crowded> {
        let (wanted, held) = (blocks(bytes), self.held());
        if wanted > held {
            let more = Arc::clone(&self.budget.blocks).try_acquire_many_owned(wanted - held);
            self.add(more.map_err(|_| Crowded)?);
        } else if let Some(blocks) = &mut self.blocks {
            // What is split off is given back at once.
            drop(blocks.split(usize::try_from(held - wanted).unwrap_or(usize::MAX)));
        }
        Ok(())
    }

    /// Gives everything back.
    pub fn release(&mut self) {
        self.blocks = None;
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.blocks {
            Some(blocks) => blocks.merge(more),
            None => self.blocks = Some(more),
        }
    }

    fn held(&self) -> u32 {
        let held = self.blocks.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        u32::try_from(held).unwrap_or(u32::MAX)
    }
}

/// What so many bytes take.
fn blocks(bytes: usize) -> u32 {
    let blocks = bytes.saturating_sub(FREE_BYTES).div_ceil(BLOCK_BYTES);
    u32::try_from(blocks).unwrap_or(u32::MAX)
}

/// Bytes that a connection has without asking.
pub const FREE_BYTES: usize = 64 * 1024;
/// What is taken at once: about as much as is read at once.
const BLOCK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_one_holds_the_other_waits_for() {
        let budget = Budget::new(4 * BLOCK_BYTES, 0, Duration::from_secs(10));
        let [mut one, mut other] = [(); 2].map(|()| Holding::new(Arc::clone(&budget)));
        assert_eq!(one.grow(FREE_BYTES + 3 * BLOCK_BYTES).await, Ok(()));
        assert_eq!(other.grow(FREE_BYTES).await, Ok(()), "what is free");
        assert_eq!(other.grow(FREE_BYTES + BLOCK_BYTES).await, Ok(()), "what is left");
        assert_eq!(other.grow(FREE_BYTES + BLOCK_BYTES + 1).await, Err(Crowded));
        assert_eq!(other.held(), 1, "a failure changes nothing");
        let waiting = other.grow(FREE_BYTES + 4 * BLOCK_BYTES);
        let freed = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            one.release();
        };
        assert_eq!(tokio::join!(waiting, freed).0, Ok(()));
        drop(other);
        assert_eq!(one.grow(FREE_BYTES + 4 * BLOCK_BYTES).await, Ok(()));
    }

    #[test]
    fn what_is_there_is_held_and_given_back() {
        let budget = Budget::new(0, 4 * BLOCK_BYTES, Duration::ZERO);
        let [mut one, mut other] = [(); 2].map(|()| Holding::new(Arc::clone(&budget)));
        assert_eq!(one.try_hold(FREE_BYTES + 4 * BLOCK_BYTES), Ok(()));
        assert_eq!(other.try_hold(FREE_BYTES + 1), Err(Crowded));
        assert_eq!(one.try_hold(FREE_BYTES + BLOCK_BYTES), Ok(()));
        assert_eq!(other.try_hold(FREE_BYTES + 3 * BLOCK_BYTES), Ok(()));
        assert_eq!(one.try_hold(FREE_BYTES + 2 * BLOCK_BYTES), Err(Crowded));
        assert_eq!((one.held(), other.held()), (1, 3));
        assert_eq!(one.try_hold(0), Ok(()));
        assert_eq!(one.held(), 0);
    }
}
