//! The cars whose row shows a reservation of a customer, by customer.
//!
//! Triggers maintain the table when a row shows another reservation, and when the customer of a reservation becomes known.
//! It is a table of its own, so that the tables of an older version get it too.

/// The statements that create the table, its triggers and its rows for the tables of an older version.
pub const SCHEMA: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS $customer_cars (carId INTEGER PRIMARY KEY, customerId TEXT NOT NULL)",
    "CREATE TRIGGER IF NOT EXISTS $customer_cars_in AFTER INSERT ON $carviews BEGIN
       INSERT INTO $customer_cars SELECT NEW.carId, customerId FROM $owners WHERE rsvId = NEW.rsvId
         ON CONFLICT (carId) DO UPDATE SET customerId = excluded.customerId; END",
    "CREATE TRIGGER IF NOT EXISTS $customer_cars_out AFTER DELETE ON $carviews BEGIN
       DELETE FROM $customer_cars WHERE carId = OLD.carId; END",
    "CREATE TRIGGER IF NOT EXISTS $customer_cars_over AFTER UPDATE OF rsvId ON $carviews WHEN OLD.rsvId <> NEW.rsvId BEGIN
       DELETE FROM $customer_cars WHERE carId = NEW.carId;
       INSERT INTO $customer_cars SELECT NEW.carId, customerId FROM $owners WHERE rsvId = NEW.rsvId; END",
    "CREATE TRIGGER IF NOT EXISTS $customer_cars_owned AFTER INSERT ON $owners BEGIN
       INSERT INTO $customer_cars SELECT carId, NEW.customerId FROM $carviews WHERE rsvId = NEW.rsvId
         ON CONFLICT (carId) DO UPDATE SET customerId = excluded.customerId; END",
    "INSERT OR IGNORE INTO $customer_cars
       SELECT carId, customerId FROM $carviews CROSS JOIN $owners USING (rsvId) WHERE rsvId > 0",
];

/// The statement that creates the index by customer.
pub const INDEX: &str =
    "CREATE INDEX IF NOT EXISTS $cars_of_customer ON $customer_cars (customerId)";

/// A query for the cars of the customer in a parameter.
#[must_use]
pub fn of(customer: &str) -> String {
    format!("SELECT carId FROM $customer_cars WHERE customerId = {customer}")
}
