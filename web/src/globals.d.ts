interface String {
  toWellFormed(): string;
}
