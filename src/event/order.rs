//! The legal orders of events, as two state machines: what a source may emit, what a client may see.
