"""Small tools for every room: loading what a user names, versions, arrays as Python source. Imports no other room."""
