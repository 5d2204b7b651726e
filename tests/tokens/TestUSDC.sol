// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// The rules of a token with the habits of the real USDC, written for tests: six decimals, boolean return
/// values, a blocklist that holds for both sides of a transfer (and for the spender), pause, mint and burn.
/// It runs behind TestUSDCProxy, which holds the state, emits the logs, and is the token's address.
contract TestUSDC {
    string public constant name = "Test USD Coin";
    string public constant symbol = "USDC";
    uint8 public constant decimals = 6;

    address public owner;
    bool public paused;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => bool) public isBlacklisted;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event Mint(address indexed minter, address indexed to, uint256 amount);
    event Burn(address indexed burner, uint256 amount);
    event Blacklisted(address indexed _account);
    event UnBlacklisted(address indexed _account);
    event Pause();
    event Unpause();

    modifier onlyOwner() {
        require(msg.sender == owner, "caller is not the owner");
        _;
    }

    modifier allowed(address account) {
        require(!isBlacklisted[account], "account is blacklisted");
        _;
    }

    function initialize(address newOwner, uint256 amount) external {
        require(owner == address(0), "already initialized");
        owner = newOwner;
        _mint(newOwner, amount);
    }

    function transfer(address to, uint256 value) external allowed(msg.sender) returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external allowed(msg.sender) returns (bool) {
        require(value <= allowance[from][msg.sender], "transfer amount exceeds allowance");
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external allowed(msg.sender) returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function _move(address from, address to, uint256 value) private allowed(from) allowed(to) {
        require(!paused, "paused");
        require(to != address(0), "transfer to the zero address");
        require(value <= balanceOf[from], "transfer amount exceeds balance");
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }

    function mint(address to, uint256 amount) external onlyOwner returns (bool) {
        _mint(to, amount);
        return true;
    }

    function _mint(address to, uint256 amount) private {
        totalSupply += amount;
        balanceOf[to] += amount;
        emit Mint(msg.sender, to, amount);
        emit Transfer(address(0), to, amount);
    }

    function burn(uint256 amount) external onlyOwner {
        totalSupply -= amount;
        balanceOf[msg.sender] -= amount;
        emit Burn(msg.sender, amount);
        emit Transfer(msg.sender, address(0), amount);
    }

    function blacklist(address account) external onlyOwner {
        isBlacklisted[account] = true;
        emit Blacklisted(account);
    }

    function unBlacklist(address account) external onlyOwner {
        isBlacklisted[account] = false;
        emit UnBlacklisted(account);
    }

    function pause() external onlyOwner {
        paused = true;
        emit Pause();
    }

    function unpause() external onlyOwner {
        paused = false;
        emit Unpause();
    }
}

/// The token's address: keeps the implementation and the admin in the EIP-1967 slots and delegates the rest.
contract TestUSDCProxy {
    bytes32 private constant IMPLEMENTATION = bytes32(uint256(keccak256("eip1967.proxy.implementation")) - 1);
    bytes32 private constant ADMIN = bytes32(uint256(keccak256("eip1967.proxy.admin")) - 1);

    event Upgraded(address indexed implementation);
    event AdminChanged(address previousAdmin, address newAdmin);

    constructor(address firstImplementation) {
        emit AdminChanged(address(0), msg.sender);
        store(ADMIN, msg.sender);
        setImplementation(firstImplementation);
    }

    function upgradeTo(address newImplementation) external {
        require(msg.sender == load(ADMIN), "caller is not the admin");
        setImplementation(newImplementation);
    }

    function setImplementation(address newImplementation) private {
        require(newImplementation.code.length > 0, "not a contract");
        store(IMPLEMENTATION, newImplementation);
        emit Upgraded(newImplementation);
    }

    fallback() external {
        address target = load(IMPLEMENTATION);
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }

    function load(bytes32 slot) private view returns (address value) {
        assembly { value := sload(slot) }
    }

    function store(bytes32 slot, address value) private {
        assembly { sstore(slot, value) }
    }
}
