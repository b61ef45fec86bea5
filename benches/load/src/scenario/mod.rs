pub mod flood;
pub mod idle;
pub mod login;
pub mod pingpong;
