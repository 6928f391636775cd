#!/bin/sh
# Prints a line for each supported Python that runs on this machine, newest first: its version and its interpreter.
# A version manager's shim may stand on PATH and run nothing, so each candidate is tried. pyenv's own folder comes first,
# since a shim that fails takes half a second; it is PYENV_ROOT, beside a `shims` folder on PATH, or ~/.pyenv.
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
  # Without ensurepip, which Debian packages apart, an interpreter makes no environment.
  test="import ensurepip, sys; sys.version_info[:2] == (3, $minor) or sys.exit(1); print('3.$minor', sys.executable)"
  for candidate in $candidates python3.$minor python3; do
    "$candidate" -c "$test" 2>/dev/null && break
  done
done
