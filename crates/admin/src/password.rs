//! The two fields in which a new password is typed.

use inventory_store::Password;

use crate::form_data::FormData;

/// What may be chosen, as it is told beside the fields.
pub(crate) fn rule() -> String {
    format!("At least {} characters; a passphrase is easier to remember.", Password::MIN_CHARS)
}

/// The password that was typed twice, or what is wrong with it.
pub(crate) fn typed(fields: &FormData) -> Result<Password, String> {
    let text = fields.text("new_password");
    let password = Password::new(text).map_err(|error| format!("The password {error}."))?;
    if text == fields.text("new_password_again") {
        Ok(password)
    } else {
        Err("The passwords do not match.".to_owned())
    }
}
