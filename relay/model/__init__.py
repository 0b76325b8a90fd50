"""The ground floor: the product's words as frozen types, the clock, the errors. It imports no other floor."""
