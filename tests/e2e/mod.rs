//! The program as its users meet it: started as a process, spoken to by real clients.

mod bystanders;
mod crash;
mod frozen;
mod lifecycle;
mod page;
mod resume;
