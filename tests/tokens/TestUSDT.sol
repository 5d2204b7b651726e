// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// A token with the habits of the real USDT on Ethereum, written for tests:
/// six decimals; `transfer`, `transferFrom` and `approve` return nothing; the owner may set a fee (taken
/// from what the receiver gets, and logged as a second Transfer), pause, block senders, destroy their
/// funds, issue, redeem, and forward everything to a successor.
contract TestUSDT {
    string public constant name = "Test Tether USD";
    string public constant symbol = "USDT";
    uint8 public constant decimals = 6;

    address public owner;
    bool public paused;
    bool public deprecated;
    address public upgradedAddress;
    uint256 public basisPointsRate;
    uint256 public maximumFee;

    mapping(address => bool) public isBlackListed;
    mapping(address => mapping(address => uint256)) public allowance;
    uint256 private supply;
    mapping(address => uint256) private balances;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event Issue(uint256 amount);
    event Redeem(uint256 amount);
    event Deprecate(address newAddress);
    event Params(uint256 feeBasisPoints, uint256 maxFee);
    event AddedBlackList(address _user);
    event RemovedBlackList(address _user);
    event DestroyedBlackFunds(address _blackListedUser, uint256 _balance);
    event Pause();
    event Unpause();

    modifier onlyOwner() {
        require(msg.sender == owner);
        _;
    }

    constructor(uint256 initialSupply) {
        owner = msg.sender;
        supply = initialSupply;
        balances[msg.sender] = initialSupply;
    }

    function transfer(address to, uint256 value) external {
        require(!paused);
        require(!isBlackListed[msg.sender]);
        if (deprecated) return Successor(upgradedAddress).transferByLegacy(msg.sender, to, value);
        move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        require(!paused);
        require(!isBlackListed[from]);
        if (deprecated) return Successor(upgradedAddress).transferFromByLegacy(msg.sender, from, to, value);
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
        move(from, to, value);
    }

    function approve(address spender, uint256 value) external {
        // The real one too demands a reset to zero before a change.
        require(value == 0 || allowance[msg.sender][spender] == 0);
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function move(address from, address to, uint256 value) private {
        uint256 fee = value * basisPointsRate / 10000;
        if (fee > maximumFee) fee = maximumFee;
        balances[from] -= value;
        balances[to] += value - fee;
        if (fee > 0) {
            balances[owner] += fee;
            emit Transfer(from, owner, fee);
        }
        emit Transfer(from, to, value - fee);
    }

    function balanceOf(address who) external view returns (uint256) {
        return deprecated ? Successor(upgradedAddress).balanceOf(who) : balances[who];
    }

    function totalSupply() external view returns (uint256) {
        return deprecated ? Successor(upgradedAddress).totalSupply() : supply;
    }

    function setParams(uint256 newBasisPoints, uint256 newMaxFee) external onlyOwner {
        require(newBasisPoints < 20 && newMaxFee < 50);
        basisPointsRate = newBasisPoints;
        maximumFee = newMaxFee * 10 ** decimals;
        emit Params(basisPointsRate, maximumFee);
    }

    function pause() external onlyOwner {
        require(!paused);
        paused = true;
        emit Pause();
    }

    function unpause() external onlyOwner {
        require(paused);
        paused = false;
        emit Unpause();
    }

    function addBlackList(address user) external onlyOwner {
        isBlackListed[user] = true;
        emit AddedBlackList(user);
    }

    function removeBlackList(address user) external onlyOwner {
        isBlackListed[user] = false;
        emit RemovedBlackList(user);
    }

    /// Takes a blocked user's funds away: the balance goes, and no Transfer says so.
    function destroyBlackFunds(address user) external onlyOwner {
        require(isBlackListed[user]);
        uint256 funds = balances[user];
        balances[user] = 0;
        supply -= funds;
        emit DestroyedBlackFunds(user, funds);
    }

    /// New money for the owner; no Transfer from the zero address either.
    function issue(uint256 amount) external onlyOwner {
        balances[owner] += amount;
        supply += amount;
        emit Issue(amount);
    }

    function redeem(uint256 amount) external onlyOwner {
        balances[owner] -= amount;
        supply -= amount;
        emit Redeem(amount);
    }

    function deprecate(address successor) external onlyOwner {
        deprecated = true;
        upgradedAddress = successor;
        emit Deprecate(successor);
    }
}

/// What a deprecated token calls. See TestUSDTSuccessor.
interface Successor {
    function transferByLegacy(address from, address to, uint256 value) external;
    function transferFromByLegacy(address spender, address from, address to, uint256 value) external;
    function balanceOf(address who) external view returns (uint256);
    function totalSupply() external view returns (uint256);
}

/// The contract that a deprecated TestUSDT forwards to. Its Transfer logs come from its own address.
contract TestUSDTSuccessor is Successor {
    address public immutable legacy;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(address legacyToken, address holder, uint256 amount) {
        legacy = legacyToken;
        totalSupply = amount;
        balanceOf[holder] = amount;
    }

    function transferByLegacy(address from, address to, uint256 value) external {
        move(from, to, value);
    }

    function transferFromByLegacy(address, address from, address to, uint256 value) external {
        move(from, to, value);
    }

    function move(address from, address to, uint256 value) private {
        require(msg.sender == legacy);
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
