#!/bin/sh
# Prints a line for each supported Python that runs on this machine, newest first: its version and its interpreter.
# Each candidate is run, because a version manager's shim on PATH may have no interpreter behind it. pyenv's own folder
# (PYENV_ROOT, the parent of a `shims` folder on PATH, or ~/.pyenv) comes first: a failing shim takes half a second.
roots="$PYENV_ROOT $HOME/.pyenv"
IFS=:
for folder in $PATH; do
  case $folder in */shims) roots="$roots ${folder%/shims}" ;; esac
done
unset IFS
for minor in 13 12 11; do
  candidates=
  for root in $roots; do
    candidates="$candidates $(echo "$root"/versions/3.$minor.*/bin/python)"
  done
  # An interpreter without ensurepip, which Debian packages separately, cannot create an environment.
  test="import ensurepip, sys; sys.version_info[:2] == (3, $minor) or sys.exit(1); print('3.$minor', sys.executable)"
  for candidate in $candidates python3.$minor python3; do
    "$candidate" -c "$test" 2>/dev/null && break
  done
done
