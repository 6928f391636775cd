"""REST as values, by the rules of docs/rest.md: requests, answers, errors and the HTTP client of a transport."""
