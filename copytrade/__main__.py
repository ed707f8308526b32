"""`python -m copytrade` is `copytrade`."""

from copytrade.app.cli import main

if __name__ == "__main__":
    main()
