//! Stub until the real one lands.
use std::collections::HashMap;
pub struct Expression(cel::Program);
impl Expression {
    pub fn compile(text: &str) -> Result<Self, String> {
        cel::Program::compile(text).map(Self).map_err(|e| e.to_string())
    }
    pub fn columns(&self) -> Vec<String> {
        Vec::new()
    }
    fn value(&self, row: &HashMap<String, String>) -> Result<cel::Value, String> {
        let mut context = cel::Context::default();
        context.add_variable_from_value("row", row.clone());
        self.0.execute(&context).map_err(|e| e.to_string())
    }
    pub fn text(&self, row: &HashMap<String, String>) -> Result<Option<String>, String> {
        match self.value(row)? {
            cel::Value::String(s) => Ok(Some(s.to_string())),
            cel::Value::Null => Ok(None),
            _ => Err("type".into()),
        }
    }
    pub fn truth(&self, row: &HashMap<String, String>) -> Result<bool, String> {
        match self.value(row)? {
            cel::Value::Bool(b) => Ok(b),
            _ => Err("type".into()),
        }
    }
}
