"""What there is to know about a fitted method before it steers: the numbers behind ``vharness fit --report``."""
