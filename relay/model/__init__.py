"""The ground floor: the product's words as frozen types, the clock, and the errors. It imports no other floor."""
