"""The product's thinking: intake, rules, alert lifecycles, dispatch. It knows no HTTP and no SQL dialect."""
